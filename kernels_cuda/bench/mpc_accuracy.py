# SPDX-License-Identifier: Apache-2.0
"""The controller against the float64 oracle on random problems.

`python -m kernels_cuda.bench.mpc_accuracy --problems 100000`. The error of a problem is how far
U(w_star), taken by the oracle, lies under the oracle's maximum, relative to max(|U*|, S).
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bls.contracts import Decision
from kernels_cuda import mpc_oracle
from kernels_cuda.bench.mpc_cases import random_control, random_mixture
from kernels_cuda.mpc import Mpc, Path

CHUNK = 500


@dataclass(frozen=True)
class Accuracy:
    """One entry a problem."""

    shortfall: NDArray[np.float64]  # relative; below 0: better than the oracle
    reported: NDArray[np.float64]  # |UTILITY - U(w_star)|, relative
    method: NDArray[np.float64]
    steps: NDArray[np.int32]  # [n, 2] Newton, bisection


def measure(mpc: Mpc, rng: np.random.Generator, n: int, **fixed: object) -> Accuracy:
    """Solve n random problems both ways."""
    parts = [_measure(mpc, rng, min(CHUNK, n - done), fixed) for done in range(0, n, CHUNK)]
    names = ("shortfall", "reported", "method", "steps")
    return Accuracy(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def _measure(mpc: Mpc, rng: np.random.Generator, n: int, fixed: dict[str, object]) -> Accuracy:
    mixture = random_mixture(rng, n)
    rows = random_control(rng, mixture, **fixed)
    _, decision, steps = mpc.trace(mixture, np.zeros(n), rows)
    p = mpc_oracle.problems(mixture, rows)
    _, best = mpc_oracle.solve(p)
    ours = mpc_oracle.utility(p, decision[:, Decision.W_STAR, None])[:, 0]
    scale = np.maximum(np.abs(best), p.scale)
    return Accuracy(
        (best - ours) / scale,
        np.abs(decision[:, Decision.UTILITY] - ours) / scale,
        decision[:, Decision.METHOD],
        steps,
    )


def main() -> None:
    """Print the largest errors and how the problems were solved."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--problems", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--path", choices=[p.name.lower() for p in Path], default="auto")
    options = parser.parse_args()
    mpc = Mpc(Path[options.path.upper()])
    got = measure(mpc, np.random.default_rng(options.seed), options.problems)
    print(f"path {mpc.path.name.lower()}, {options.problems:,} problems")
    print(f"largest shortfall {got.shortfall.max():.2e}, lead {-got.shortfall.min():.2e}")
    print(f"largest error of UTILITY {got.reported.max():.2e}")
    for name, method in (("newton", 1), ("bisection", 2), ("grid point", 3)):
        print(f"{name}: {np.mean(got.method == method):.2%}")
    solved = got.method != 3
    newton, bisection = got.steps[solved].T
    print(f"two Newton steps or fewer: {np.mean((newton <= 2) & (bisection == 0)):.3%} of solved")
    print(f"most steps {(newton + bisection).max()}, most bisections {bisection.max()}")


if __name__ == "__main__":
    main()
