# SPDX-License-Identifier: Apache-2.0
"""The auction against numpy and, where it is installed, torch: one thread, microseconds.

`python kernels_cuda/bench/bench.py` with any interpreter that has numpy. All take turns, so that
load from elsewhere falls on each; p10 shows what an undisturbed core does. `--json` prints the
first shape's figures only.
"""

from __future__ import annotations

import argparse
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

from kernels_cuda.auction import Auction, Draw
from kernels_cuda.bench.rivals import Call, memory_floor, numpy_auction, torch_auction

TEMPERATURE = 0.7
SUBJECTS = ("auction", "numpy", "torch", "floor")
Times = dict[str, NDArray[np.float64]]


@dataclass(frozen=True)
class Shape:
    """What is auctioned: normal logits of this spread."""

    rows: int
    vocab: int
    dtype: type[np.floating[Any]] = np.float32
    spread: float = 3.0
    sample: bool = False
    top: bool = False

    @property
    def name(self) -> str:
        """The row's label."""
        notes = [np.dtype(self.dtype).name.replace("float", "f")]
        notes += [f"spread {self.spread:g}"] if self.spread != 3 else []
        notes += ["sampled"] if self.sample else []
        notes += ["audit outputs"] if self.top else []
        return f"{self.rows} x {self.vocab:,}, {', '.join(notes)}"


HEADLINE = Shape(4, 50_007)
SHAPES = (
    HEADLINE,
    Shape(4, 50_007, top=True),
    Shape(4, 50_007, sample=True),
    Shape(4, 50_007, sample=True, top=True),
    Shape(4, 50_007, spread=1.5),
    Shape(4, 50_007, spread=0.5),
    Shape(4, 50_007, np.float16),
    Shape(4, 50_007, spread=0.0),
    Shape(4, 49_152),
    Shape(1, 50_007),
    Shape(8, 50_007),
    Shape(33, 50_007),
    Shape(4, 152_064),
)


def subjects(auction: Auction, shape: Shape) -> dict[str, Call]:
    """What is timed, by name; without torch where it is not installed."""
    rng = np.random.default_rng(0)
    z = (rng.normal(size=(shape.rows, shape.vocab)) * shape.spread).astype(shape.dtype)
    w = np.concatenate([[1], rng.uniform(0.2, 1, shape.rows - 1)]).astype(np.float32)
    draw = Draw(seed=1, conv=2, index=3) if shape.sample else None
    arguments = (z, w, TEMPERATURE, shape.sample, shape.top)
    made = {
        "auction": auction.bind(z, w, TEMPERATURE, draw=draw, top=shape.top),
        "numpy": numpy_auction(*arguments),
        "torch": torch_auction(*arguments),
        "floor": memory_floor(z),
    }
    return {name: call for name, call in made.items() if call is not None}


def timed(calls: dict[str, Call], seconds: float) -> Times:
    """Microseconds of each call, the calls taking turns."""
    spent: dict[str, list[float]] = {name: [] for name in calls}
    stop = time.perf_counter() + seconds
    while time.perf_counter() < stop:
        for name, call in calls.items():
            for _ in range(5):
                start = time.perf_counter()
                call()
                spent[name].append(1e6 * (time.perf_counter() - start))
    return {name: np.array(times) for name, times in spent.items()}


def row(shape: Shape, times: Times) -> str:
    """One line of the table: medians, then p10."""
    cells = [
        f"{np.percentile(times[name], q):,.0f}" if name in times else "-"
        for q in (50, 10)
        for name in SUBJECTS
    ]
    return f"| {shape.name} | " + " | ".join(cells) + " |"


def summary(seconds: float = 4.0) -> dict[str, float]:
    """The first shape alone, for `make bench`."""
    with Auction() as auction:
        calls = subjects(auction, HEADLINE)
        times = timed({name: calls[name] for name in ("auction", "numpy")}, seconds)
    return {
        "ours_us": float(np.median(times["auction"])),
        "ours_p10_us": float(np.percentile(times["auction"], 10)),
        "numpy_us": float(np.median(times["numpy"])),
    }


def table(seconds: float, say: Callable[[str], None]) -> None:
    """Time all shapes, a line each as it is done."""
    with Auction() as auction:
        load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
        say(f"path {auction.path.name.lower()}, one thread, T = {TEMPERATURE}, load {load}\n")
        say(
            "| rows x vocabulary | "
            + " | ".join(SUBJECTS)
            + " | "
            + " | ".join(f"{name} p10" for name in SUBJECTS)
            + " |"
        )
        say("|---" * (1 + 2 * len(SUBJECTS)) + "|")
        for shape in SHAPES:
            say(row(shape, timed(subjects(auction, shape), seconds)))


def main() -> None:
    """Print the table of all shapes, or with --json the model's figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--seconds", type=float, default=4.0, help="per shape")
    options = parser.parse_args()
    if options.json:
        print(json.dumps(summary(options.seconds)))
    else:
        table(options.seconds, lambda line: print(line, flush=True))


if __name__ == "__main__":
    main()
