# SPDX-License-Identifier: Apache-2.0
"""Random problems for the controller: narrow and wide, near-equal and far components, both costs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kernels_cuda.mpc_control import control

TOKENS = 8


def random_mixture(rng: np.random.Generator, n: int) -> NDArray[np.float32]:
    """f32 [n, 5]: sigma 1e-3 to 2, alpha often 0 or 1, the second mean near, equal or far."""
    mu = rng.normal(0.0, 1.5, n)
    shift = rng.choice([0.0, 0.01, 0.3, 2.0, 6.0], n) * rng.normal(size=n)
    sigma = np.exp(rng.uniform(np.log(1e-3), np.log(2.0), (n, 2)))
    alike = rng.random(n) < 0.2
    sigma[alike, 1] = sigma[alike, 0] * rng.uniform(0.9, 1.1, alike.sum())
    alpha = np.where(rng.random(n) < 0.15, rng.integers(0, 2, n), rng.random(n))
    made = np.column_stack([mu, sigma[:, 0], mu + shift, sigma[:, 1], alpha])
    return made.astype(np.float32)


def random_control(
    rng: np.random.Generator, mixture: NDArray[np.float32], **fixed: object
) -> NDArray[np.float64]:
    """f64 [n, 112]: values of the order of what winning costs; `fixed` overrides a field."""
    n = len(mixture)
    price = np.exp(np.where(rng.random(n) < mixture[:, 4], mixture[:, 0], mixture[:, 2]))
    reserve = np.where(rng.random(n) < 0.5, 0.0, price * rng.uniform(0, 1, n))
    worth = (price + reserve) * np.exp(rng.normal(0.3, 1.0, n))
    dv = worth[:, None] * rng.uniform(0.2, 1.8, (n, TOKENS))
    fields: dict[str, object] = {
        "dv": dv,
        "loss": dv * rng.choice([0.0, 0.2, 1.0], n)[:, None],
        "left": rng.integers(1, TOKENS + 1, n),
        "horizon": rng.integers(1, TOKENS + 1, n),
        "lambda_risk": 0.5,
        "momentum": 2,
        "sigma_max": 1.0,
        "w_max": worth * np.exp(rng.normal(0.0, 1.5, n)),
        "cost_model": rng.integers(0, 2, n),
        "budget_left": 1e12,
        "time_left": 3600.0,
        "reserve": reserve,
    }
    return control(n, **{**fields, **fixed})  # type: ignore[arg-type]
