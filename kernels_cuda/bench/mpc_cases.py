# SPDX-License-Identifier: Apache-2.0
"""Random problems for the controller: narrow and wide, near and far components, both costs."""

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
    made = np.column_stack([mu, sigma[:, 0], np.clip(mu + shift, -20, 20), sigma[:, 1], alpha])
    return made.astype(np.float32)


def random_control(
    rng: np.random.Generator, mixture: NDArray[np.float32], **fixed: object
) -> NDArray[np.float64]:
    """f64 [n, 112]: values of the order of what winning costs; `fixed` overrides a field."""
    n = len(mixture)
    rival_share = np.where(rng.random(n) < 0.5, 1.0, rng.uniform(0.05, 1, n))
    log_w = np.where(rng.random(n) < mixture[:, 4], mixture[:, 0], mixture[:, 2])
    price = rival_share * np.exp(log_w)
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
        "rival_share": rival_share,
    }
    return control(n, **{**fields, **fixed})  # type: ignore[arg-type]


def shelf_cases(
    rng: np.random.Generator, n: int
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """At most n problems made so that U' and U'' almost vanish together.

    The wide component's S f is H' at its mode, within 0 to 30 %, and the narrow one lies on its
    rising or falling side: where U' falls through 0 is a shelf, on which Newton steps go astray.
    """
    sigma = np.exp(rng.uniform(np.log([1e-3, 0.05]), np.log([1.0, 10.0]), (n, 2)))
    mu = rng.normal(0.0, 1.0, n)
    mode = mu + sigma[:, 0] * rng.uniform(0, 8, n)
    mode += sigma[:, 1] * rng.normal(0, 0.3, n) * rng.integers(0, 2, n)
    mixture = np.column_stack(
        [mu, sigma[:, 0], mode + sigma[:, 1] ** 2, sigma[:, 1], rng.uniform(0.05, 0.95, n)]
    ).astype(np.float32)
    _, _, mu_2, s_2, alpha = mixture.T.astype(np.float64)
    log_peak = np.log((1 - alpha) / (s_2 * np.sqrt(2 * np.pi))) - mu_2 + s_2**2 / 2
    value = np.exp(-log_peak + rng.choice([0, 1e-6, -1e-6, 1e-3, -1e-3, 0.05, -0.05, 0.3], n))
    usable = value < 1e9
    value = value[usable]
    rows = control(
        len(value),
        dv=value[:, None],
        loss=[0.0],
        left=1,
        horizon=1,
        lambda_risk=0.5,
        momentum=2,
        sigma_max=1.0,
        w_max=value,
        cost_model=0,
        budget_left=1e12,
        time_left=3600.0,
    )
    return mixture[usable], rows
