# SPDX-License-Identifier: Apache-2.0
"""The controller against numpy and the floor of its own grid, microseconds a row, one thread.

`python -m kernels_cuda.bench.mpc`. All take turns, so that load from elsewhere falls on each; p10
shows what an undisturbed core does. `numpy` finds the same maxima in float64 with the same number
of grid points and Newton steps, all rows at once. `floor` is the kernel's grid alone, in numpy:
one normal density a component and point.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from numpy.typing import NDArray

from bls.contracts import Decision
from kernels_cuda.bench.bench import timed
from kernels_cuda.bench.mpc_cases import random_control, random_mixture
from kernels_cuda.bench.mpc_rival import density_floor, numpy_controller
from kernels_cuda.bench.rivals import Call
from kernels_cuda.mpc import Mpc, MpcError, Path

SHAPES = ((1, 0), (4, 0), (64, 0), (64, 1), (4096, 0))
"""Rows of a call and cost model."""


def subjects(rows: int, cost_model: int) -> dict[str, Call]:
    """What is timed, by name; paths this processor lacks are left out."""
    rng = np.random.default_rng(0)
    mixture, control = bidding(rng, rows, cost_model)
    bid = np.ones(rows, np.float32)
    made: dict[str, Call] = {}
    for path in (Path.AVX512, Path.AVX2, Path.SCALAR):
        try:
            mpc = Mpc(path)
        except MpcError:
            continue
        made[path.name.lower()] = caller(mpc, mixture, bid, control)
    if cost_model == 0:  # with vcg there is no search to compare
        made["numpy"] = numpy_controller(mixture, control)
        made["floor"] = density_floor(mixture)
    return made


def bidding(
    rng: np.random.Generator, rows: int, cost_model: int
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Random problems that are worth a bid: the others end before the grid."""
    mixture = random_mixture(rng, 20 * rows)
    control = random_control(rng, mixture, cost_model=cost_model)
    _, decision = Mpc().decide(mixture, np.zeros(len(mixture)), control)
    kept = np.flatnonzero(decision[:, Decision.W_STAR] > 0)[:rows]
    return mixture[kept], control[kept]


def caller(
    mpc: Mpc, mixture: NDArray[np.float32], bid: NDArray[np.float32], control: NDArray[np.float64]
) -> Call:
    """The call a server or a simulator makes."""

    def run() -> int:
        weight, _ = mpc.decide(mixture, bid, control)
        return len(weight)

    return run


def table(seconds: float, say: Callable[[str], None]) -> None:
    """Time all shapes, a line for each subject."""
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    say(f"microseconds a row, through the C ABI from Python, load {load}\n")
    say("| rows | cost | subject | p10 | p50 | p95 | p95 of the call |")
    say("|---" * 7 + "|")
    for rows, cost_model in SHAPES:
        for name, times in timed(subjects(rows, cost_model), seconds).items():
            low, middle, high = np.percentile(times, (10, 50, 95))
            cost = ("bid", "vcg")[cost_model]
            cells = " | ".join(f"{value / rows:,.2f}" for value in (low, middle, high))
            say(f"| {rows} | {cost} | {name} | {cells} | {high:,.0f} |")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3.0, help="per shape")
    options = parser.parse_args()
    table(options.seconds, lambda line: print(line, flush=True))


if __name__ == "__main__":
    main()
