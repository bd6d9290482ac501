# SPDX-License-Identifier: Apache-2.0
"""Decisions of the real kernel on random problems, and their records."""

from __future__ import annotations

import numpy as np

from bls.brain.curve import value_curve
from bls.brain.decisions.rebuild import ahead
from bls.brain.decisions.record import DecisionRecord, Place, Worth
from kernels_cuda.mpc import Mpc, control
from kernels_cuda.mpc import Path as Simd


def decide(count: int, seed: int = 0, path: Simd = Simd.AUTO) -> list[DecisionRecord]:
    """`count` decisions and their records, as the reply loop makes them: a few rows a call."""
    rng, kernel = np.random.default_rng(seed), Mpc(path)
    records: list[DecisionRecord] = []
    while len(records) < count:
        rows = int(rng.integers(1, 5))
        made = _token(rng, kernel, len(records), rows)
        records += made[: count - len(records)]
    return records


def _token(
    rng: np.random.Generator, kernel: Mpc, token_idx: int, rows: int
) -> list[DecisionRecord]:
    mixture = rng.uniform([-2, 0, -2, 0, 0], [2, 1.5, 2, 1.5, 1], (rows, 5)).astype(np.float32)
    bid = rng.uniform(0, 2, rows).astype(np.float32)
    worths = [_worth(rng) for _ in range(rows)]
    left = [int(rng.integers(0, worth.tokens - worth.won + 1)) for worth in worths]
    parameters = ([getattr(w, name) for w in worths] for name in ("v_max", "a", "k_0", "tokens"))
    won, rate = [worth.won for worth in worths], [worth.rate for worth in worths]
    d_v, loss = (ahead(curves, won, left, rate) for curves in value_curve(*parameters))
    table = control(
        rows,
        dv=d_v,
        loss=loss,
        left=left,
        horizon=rng.integers(1, 9, rows),
        lambda_risk=rng.uniform(0.3, 0.7, rows),
        momentum=rng.integers(1, 4, rows),
        sigma_max=rng.uniform(0.5, 1.5, rows),
        w_max=rng.uniform(0, 5, rows),
        cost_model=rng.integers(0, 2, rows),
        budget_left=rng.uniform(-1, 100, rows),
        time_left=rng.uniform(-1, 100, rows),
        spend_rate=rng.uniform(0, 5, rows),
        reserve=rng.uniform(0, 1, rows),
        rival_share=np.linspace(1.0, 0.1, rows),
        neg_cnt=rng.integers(0, 3, rows),
        controlled=rng.integers(0, 5, rows) > 0,
    )
    weight, decision = kernel.decide(mixture, bid, table)
    return [
        DecisionRecord.of(
            Place(f"c{token_idx}", "r1", token_idx, row + 1, f"a{row}", 1e9 + token_idx / 7),
            worths[row],
            mixture[row],
            table[row],
            decision[row],
            weight=float(weight[row]),
            bid=float(bid[row]),
            params_version=3,
            latency_ms=0.01,
            path=int(kernel.path),
        )
        for row in range(rows)
    ]


def _worth(rng: np.random.Generator) -> Worth:
    tokens = int(rng.integers(1, 49))
    curve = np.float32(rng.uniform([0.1, 0.05, 1], [10, 2, 30])).tolist()
    return Worth(*curve, float(rng.uniform(0, 8)), int(rng.integers(0, tokens + 1)), tokens)
