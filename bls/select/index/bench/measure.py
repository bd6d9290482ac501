# SPDX-License-Identifier: Apache-2.0
"""One query after the other on one thread: recall@10 and milliseconds."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np

from bls.select.index.bench.truth import recall
from bls.select.index.ivfpq import IvfPq
from bls.select.index.main import MainIndex
from bls.select.index.protocol import F32, I64
from bls.select.index.top import best

K = 10
_WARM = 20
HEAD = f"{'':>24} {'recall@10':>10} {'p50 ms':>8} {'p95 ms':>8} {'p99 ms':>8} {'mean ms':>8}"


def line(name: str, index: MainIndex, queries: F32, truth: I64, runs: int = 3) -> dict[str, float]:
    """Ask every query `runs` times; print and return the figures."""
    for query in queries[:_WARM]:
        index.near(query, K, None)
    times = []
    for _ in range(runs):
        found: list[I64] = []
        for query in queries:
            began = time.perf_counter()
            rows, sims = index.near(query, K, None)
            top = rows[best(rows, sims, K)]
            times.append((time.perf_counter() - began) * 1e3)
            found.append(top)
    p50, p95, p99 = np.quantile(times, [0.5, 0.95, 0.99])
    figures = {
        "recall": recall(found, truth),
        "p50_ms": float(p50),
        "p95_ms": float(p95),
        "p99_ms": float(p99),
        "mean_ms": float(np.mean(times)),
    }
    numbers = " ".join(f"{figures[key]:8.3f}" for key in list(figures)[1:])
    print(f"{name:>24} {figures['recall']:10.4f} {numbers}", flush=True)
    return figures


def sweeps(index: IvfPq, queries: F32, truth: I64) -> dict[str, dict[str, float]]:
    """By cells probed (MRO-C-03) and by rows re-ranked."""
    kept = index.params
    found: dict[str, dict[str, float]] = {}
    print(HEAD)
    try:
        for nprobe in (1, 2, 4, 8, 16, 32, 64):
            index.params = replace(kept, nprobe=min(nprobe, kept.nlist))
            found[f"nprobe={nprobe}"] = line(f"nprobe {nprobe}", index, queries, truth)
        for depth in (10, 50, 100, 200, 256, 400, 800):
            index.params = replace(kept, depth=depth)
            found[f"depth={depth}"] = line(f"re-ranked {depth}", index, queries, truth)
    finally:
        index.params = kept
    return found
