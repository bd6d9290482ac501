# SPDX-License-Identifier: Apache-2.0
"""Milliseconds a text on one thread, by its length in word pieces, and of a cached one."""

from __future__ import annotations

import time

import numpy as np

from bls.brain.context.encoder import ContextEncoder

_LENGTHS = (16, 64, 128)
_SPECIAL = 2
_RUNS = 40


def run() -> None:
    """Print the table."""
    fresh, cached = ContextEncoder(cache=0), ContextEncoder()
    print("word pieces   p50 ms   p95 ms")
    for length in _LENGTHS:
        _line(str(length), fresh, " ".join(["lake"] * (length - _SPECIAL)))
    _line("in the cache", cached, "lake")


def _line(name: str, encoder: ContextEncoder, text: str) -> None:
    encoder.vector(text)
    times = []
    for _ in range(_RUNS):
        start = time.perf_counter()
        encoder.vector(text)
        times.append((time.perf_counter() - start) * 1e3)
    print(f"{name:>12} {np.median(times):8.3f} {np.quantile(times, 0.95):8.3f}")
