# SPDX-License-Identifier: Apache-2.0
"""The platform's revenue from reserve prices (competitor_bid S-01): forecast against "+2 %".

The seed does not say what the reserve is for; assumed here: before the bids of token t are known
the platform posts a price p_t, and the competing advertisers together buy the token iff what they
bid for it, W_-i(t), reaches p_t. Revenue is p_t if they do and nothing if they do not.

    static   p_t = 1.02 W_-i(t-1)            guided   p_t = argmax_p p (1 - F_t(p))

F_t is the forecast. The static rule over-asks by design, so the guided price is also held against
the best fixed factor on the last W_-i, found on other seeds.
"""

from __future__ import annotations

from math import erf

import numpy as np
from numpy.typing import NDArray

from pipelines_dagster.defs.market.ab.trial import Trial
from pipelines_dagster.defs.market.traits import F64

STATIC = 1.02
FACTORS = tuple(np.round(np.arange(0.70, 1.03, 0.02), 2).tolist())
_STEPS = np.linspace(-4.0, 2.0, 49)
"""Prices considered: these many standard deviations from either component's mean, in logs."""

_phi = np.vectorize(lambda z: 0.5 * (1 + erf(z / np.sqrt(2))))
_TABLE_Z = np.linspace(-8, 8, 3201)
_TABLE = _phi(_TABLE_Z)


def static_revenue(trial: Trial, factor: float) -> float:
    """Weight units a token when p_t is `factor` times the last W_-i."""
    w = np.exp(trial.log_w)
    return _revenue(trial, factor * w[:, :-1])


def guided_revenue(trial: Trial) -> float:
    """Weight units a token when p_t is the forecast's best price; the trial holds the forecasts."""
    prices = best_price(trial.mixture.reshape(-1, trial.mixture.shape[-1]))
    return _revenue(trial, prices.reshape(len(trial), -1))


def best_price(mixture: NDArray[np.float32]) -> F64:
    """argmax over a grid of p (1 - F(p)), [n], for mixtures [n, 5]."""
    mu_1, s_1, mu_2, s_2, alpha = mixture.astype(np.float64).T[:, :, None]
    grid = np.concatenate([mu_1 + s_1 * _STEPS, mu_2 + s_2 * _STEPS], axis=1)
    sold = 1 - alpha * normal_cdf((grid - mu_1) / np.maximum(s_1, 1e-6))
    sold -= (1 - alpha) * normal_cdf((grid - mu_2) / np.maximum(s_2, 1e-6))
    best = (grid + np.log(np.maximum(sold, 1e-12))).argmax(axis=1)
    price: F64 = np.exp(grid[np.arange(len(grid)), best])
    return price


def normal_cdf(z: F64) -> F64:
    """Phi by table, within 4e-7."""
    result: F64 = np.interp(z, _TABLE_Z, _TABLE)
    return result


def _revenue(trial: Trial, price: F64) -> float:
    """Mean over the tokens that are part of a reply."""
    w = np.exp(trial.log_w[:, 1:])
    part = np.arange(w.shape[1]) < trial.lengths[:, None]
    return float(np.where(w >= price, price, 0.0)[part].mean())
