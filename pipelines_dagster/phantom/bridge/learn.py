# SPDX-License-Identifier: Apache-2.0
"""Two small models of the served ones' kind, fitted to whatever traffic the data held.

Value: the readers' own form with free parameters, least squares on log(1 + clicks); so its error is
what the data did to it and nothing else. Forecast: a linear map of the last 15 log W_-i and their
moments to the next one. Both are stand-ins that take a second; the served networks see the same
data through the same filter (docs/datasets.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import least_squares

from bls.brain.curve import A_MAX
from bls.brain.features import PAST, STATS, build
from bls.contracts import CTX
from pipelines_dagster.defs.market.creatives import Words
from pipelines_dagster.defs.market.traits import F64, I64

_START = np.array([0.4, 4.2, -1.6, 2.4, 0.9, -1.2, 0.25, 0.55, 0.6])
_LOW = np.array([0.0, 0.0, -6, -6, -6, -6, 0.02, 0.0, 0.0])
_HIGH = np.array([6.0, 12.0, 6, 6, 6, 6, 2.0, 2.0, 3.0])


@dataclass(frozen=True)
class Ads:
    """n showings: how well the ad fits, and what its words are."""

    relevance: F64
    annoyance: F64
    quality: F64
    tokens: F64
    hook: F64

    @classmethod
    def of(cls, relevance: F64, annoyance: F64, words: Sequence[Words]) -> Ads:
        parts = [[float(getattr(w, name)) for w in words] for name in ("quality", "tokens", "hook")]
        return cls(relevance, annoyance, *(np.array(part) for part in parts))


@dataclass(frozen=True)
class ValueModel:
    """`theta` [9], in the order of `readers.curves`'s constants."""

    theta: F64 = field(default_factory=_START.copy)

    def curves(self, ads: Ads) -> tuple[F64, F64, F64]:
        """v_max, a, k_0 [n], within what is served."""
        base, gain, middle, fit, good, dull, slope, more, late = self.theta
        power = middle + fit * ads.relevance + good * ads.quality + dull * ads.annoyance
        v_max = base + gain / (1 + np.exp(-power))
        a = slope + more * np.exp(-np.maximum(ads.tokens - 6, 0) / 14)
        return v_max, np.clip(a, 1e-3, A_MAX), np.maximum(1.0, 1 + late * (ads.hook - 1))

    def value(self, ads: Ads, k: I64) -> F64:
        """V(k) [n] per unit of rate."""
        v_max, a, k_0 = self.curves(ads)
        curve: F64 = v_max / (1 + np.exp(-a * (k - k_0)))
        return curve

    @classmethod
    def fit(cls, ads: Ads, k: I64, clicks: F64) -> ValueModel:
        """From n showings of `k` delivered tokens and their clicks."""
        label = np.log1p(clicks)
        found = least_squares(
            lambda theta: cls(theta).value(ads, k) - label,
            np.clip(_START, _LOW + 1e-6, _HIGH - 1e-6),
            bounds=(_LOW, _HIGH),
            max_nfev=60,
        )
        return cls(found.x)


def fit_forecast(log_w: F64) -> F64:
    """Weights [19] of the linear forecast, from series [n, T]."""
    past, label = _windows(log_w)
    weights: F64 = np.linalg.lstsq(past, label, rcond=None)[0]
    return weights


def forecast_error(weights: F64, log_w: F64) -> float:
    """RMSE of the forecast of log W_-i on series [n, T]."""
    past, label = _windows(log_w)
    return float(np.sqrt(np.mean((past @ weights - label) ** 2)))


def _windows(log_w: F64) -> tuple[F64, F64]:
    """Every full window and what came after it: [m, 19], [m]."""
    width = PAST.stop - PAST.start
    views = np.lib.stride_tricks.sliding_window_view(log_w, width + 1, axis=1)
    flat = views.reshape(-1, width + 1)
    features = build(np.zeros(CTX, np.float32), flat[:, :-1], np.zeros(len(flat)))
    columns = (features[:, PAST], features[:, STATS], np.ones((len(flat), 1)))
    return np.concatenate(columns, axis=1).astype(np.float64), flat[:, -1]
