# SPDX-License-Identifier: Apache-2.0
"""The auction against a good numpy float32 version, single thread: medians in microseconds.

`python kernels_cuda/bench/bench.py`, or `make -C kernels_cuda bench`. p10 shows what an undisturbed
core does; the two are timed in turns, so that load from elsewhere falls on both.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
sys.path.insert(0, str(FilePath(__file__).resolve().parents[2]))

import numpy as np
from numpy.typing import NDArray

from kernels_cuda.auction import Auction

Times = NDArray[np.float64]


@dataclass(frozen=True)
class Shape:
    """What is auctioned: normal logits of this spread at T = 0.7."""

    name: str
    rows: int
    vocab: int
    dtype: type[np.floating[Any]] = np.float32
    scale: float = 3.0


SHAPES = (
    Shape("4 rows, 49,152, f32", 4, 49_152),
    Shape("4 rows, 49,152, f32, flat", 4, 49_152, scale=0.5),
    Shape("4 rows, 49,152, f16", 4, 49_152, np.float16),
    Shape("1 row, 49,152, f32", 1, 49_152),
    Shape("8 rows, 49,152, f32", 8, 49_152),
    Shape("33 rows, 49,152, f32", 33, 49_152),
    Shape("4 rows, 152,064, f32", 4, 152_064),
    Shape("4 rows, 49,152, all tied", 4, 49_152, scale=0.0),
)


def numpy_auction(logits: NDArray[Any], weights: NDArray[Any], temperature: float) -> int:
    """The same outputs in float32 numpy, in place where numpy can."""
    p = logits.astype(np.float32)
    p -= p.max(axis=1, keepdims=True)
    p *= np.float32(1 / temperature)
    np.exp(p, out=p)
    p /= p.sum(axis=1, keepdims=True)
    blend = weights @ p
    token = int(blend.argmax())
    rest = blend.copy()
    rest[token] = 0
    _margin, _ref = blend[token] - rest.max(), logits[0].argmax()
    for i in range(1, len(weights)):
        without = blend - weights[i] * p[i]
        if without.argmax() == token:
            continue
        spread = p[i, token] - p[i]
        lead = without - without[token]
        _pay, rivals = lead.max(), spread > 0
        _bid = (lead[rivals] / spread[rivals]).max()
    return token


def timed(calls: list[Callable[[], int]], seconds: float) -> list[Times]:
    """Times of each call in microseconds, the calls taking turns."""
    times: list[list[float]] = [[] for _ in calls]
    stop = time.perf_counter() + seconds
    while time.perf_counter() < stop:
        for call, spent in zip(calls, times, strict=True):
            for _ in range(5):
                start = time.perf_counter()
                call()
                spent.append(1e6 * (time.perf_counter() - start))
    return [np.array(spent) for spent in times]


def times(auction: Auction, shape: Shape, seconds: float) -> tuple[Times, Times]:
    """Microseconds of our calls and of numpy's."""
    rng = np.random.default_rng(0)
    logits = (rng.normal(size=(shape.rows, shape.vocab)) * shape.scale).astype(shape.dtype)
    weights = np.concatenate([[1], rng.uniform(0.2, 1, shape.rows - 1)]).astype(np.float32)
    ours, numpys = timed(
        [
            auction.bind(logits, weights, 0.7),
            lambda: numpy_auction(logits, weights, 0.7),
        ],
        seconds,
    )
    return ours, numpys


def measure(auction: Auction, shape: Shape, seconds: float) -> str:
    """One row of the table."""
    ours, numpys = times(auction, shape, seconds)
    cells = [f"{np.percentile(t, q):,.0f}" for q in (50, 10) for t in (ours, numpys)]
    ratios = [f"{np.percentile(numpys, q) / np.percentile(ours, q):.1f} x" for q in (50, 10)]
    return f"| {shape.name} | " + " | ".join(cells + ratios) + " |"


def summary(seconds: float = 4.0) -> dict[str, float]:
    """The first shape alone, for `make bench`."""
    with Auction() as auction:
        ours, numpys = times(auction, SHAPES[0], seconds)
    return {
        "ours_us": float(np.median(ours)),
        "ours_p10_us": float(np.percentile(ours, 10)),
        "numpy_us": float(np.median(numpys)),
    }


def main(seconds: float = 3.0) -> None:
    """Print the table of all shapes, or with --json the first one's figures."""
    if "--json" in sys.argv[1:]:
        print(json.dumps(summary()))
        return
    with Auction() as auction:
        load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
        print(f"path {auction.path.name}, one thread, load average {load}\n")
        print("| case | median | numpy | p10 | numpy | ratio, median | ratio, p10 |")
        print("|---|---|---|---|---|---|---|")
        for shape in SHAPES:
            print(measure(auction, shape, seconds), flush=True)


if __name__ == "__main__":
    main()
