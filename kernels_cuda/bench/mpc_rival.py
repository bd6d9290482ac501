# SPDX-License-Identifier: Apache-2.0
"""The controller's search written with care in numpy, float64, all rows at once.

The same 64 points, the best of them as the start, two Newton steps on dU/dx. No pacing, momentum or
plan, and no second start: it does less than the kernel and may miss the larger of two maxima.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from kernels_cuda import mpc_oracle
from kernels_cuda.bench.rivals import Call

F64 = NDArray[np.float64]
POINTS = np.concatenate([-6 * np.linspace(-1, 0, 8, endpoint=False) ** 2, np.linspace(0, 6, 24)])


def numpy_controller(mixture: NDArray[np.float32], control: F64) -> Call:
    """Returns the number of rows that bid."""

    def run() -> int:
        p = mpc_oracle.problems(mixture, control)
        mu, sigma, share = (np.stack(each, -1) for each in (p.mu, p.sigma, p.share))  # [n, 1, 2]
        v = p.worth / p.tokens
        height = share / (sigma * np.sqrt(2 * np.pi))
        x = np.concatenate([m - s**2 + s * POINTS for m, s in zip(p.mu, p.sigma, strict=True)], 1)
        with np.errstate(divide="ignore", invalid="ignore"):
            most = np.log(np.minimum(v, p.w_max) - p.reserve)
        x = np.minimum(x, most)

        def gain(x: F64) -> F64:
            win = (share * ndtr((x[..., None] - mu) / sigma)).sum(-1)
            made: F64 = v * win - p.reserve - np.exp(x)
            return made

        x = np.take_along_axis(x, gain(x).argmax(1)[:, None], 1)
        for _ in range(2):
            z = (x[..., None] - mu) / sigma
            h = height * np.exp(-0.5 * z * z)
            e = np.exp(x)
            step = (v * h.sum(-1) - e) / (v * (-h * z / sigma).sum(-1) - e)
            x = np.minimum(x - step, most)
        return int((gain(x) > 0).sum())

    return run


def density_floor(mixture: NDArray[np.float32]) -> Call:
    """One exponential a component and grid point, and nothing else."""
    z = np.tile(-0.5 * np.concatenate([POINTS, POINTS]) ** 2, (len(mixture), 2))
    out = np.empty_like(z)

    def run() -> int:
        np.exp(z, out=out)
        return len(out)

    return run
