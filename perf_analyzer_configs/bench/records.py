# SPDX-License-Identifier: Apache-2.0
"""Billing records: how many a second one server's ledger takes while its queue is full."""

from __future__ import annotations

import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from bls.reply.outcome import Outcome
from bls.settlement.ledger import Ledger
from bls.settlement.record import STREAMS, Head, TokenRecord
from kernels_cuda.auction import Auction
from perf_analyzer_configs.bench.figures import Figure

_DISTINCT = 1_000
_COUNT = 60_000
_ROUNDS = 5
_VOCAB = 200


def written() -> list[Figure]:
    """Records per second, both streams, to a synced disk; the best round, as others share the CPU.

    Two rows are the seed's record (w_ref, w_i, w_-i); four are this system's usual reply. The
    seed's figure is of a writer in Rust and no goal of this one (docs/deviations.md).
    """
    figures = []
    for rows in (2, 4):
        records = _records(rows)
        runs = [_run(records) for _ in range(_ROUNDS)]
        rate, per_cpu, size = max(runs)
        detail = f"{per_cpu:.0f} per second of CPU; {size:.0f} bytes a token"
        name = f"billing records written, {rows} rows"
        figures.append(Figure(name, rate, "records/s", "seed: 60,000", None, detail))
    return figures


def _run(records: list[TokenRecord]) -> tuple[float, float, float]:
    """(records per second, per second of CPU, bytes per record) until everything is synced."""
    with TemporaryDirectory() as folder:
        ledger = Ledger(Path(folder), _refuse)
        began, cpu = time.perf_counter(), time.process_time()
        for number in range(_COUNT):
            ledger.put(records[number % _DISTINCT])
        ledger.close()
        seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
        size = sum((Path(folder) / stream).stat().st_size for stream in STREAMS)
    return _COUNT / seconds, _COUNT / cpu, size / _COUNT


def _records(rows: int) -> list[TokenRecord]:
    """Tokens of random rows that resemble each other, auctioned by the kernel."""
    rng = np.random.default_rng(rows)
    names = tuple(f"advertiser_{row}" for row in range(1, rows))
    head = Head("conv-0", "req-0", names, "argmax", 0, 0, 0.7, "clarke", 1_000)
    found = []
    with Auction() as auction:
        for index in range(_DISTINCT):
            logits = rng.normal(size=(1, _VOCAB)) * 3 + rng.normal(size=(rows, _VOCAB)) * 1.5
            weights = rng.uniform(0.2, 2.0, rows).astype(np.float32)
            got = auction.run(logits.astype(np.float32), weights, 0.7, top=True)
            found.append(TokenRecord(head, time.time(), index, weights, Outcome.of(got, weights)))
    return found


def _refuse(fault: Exception) -> None:
    raise fault
