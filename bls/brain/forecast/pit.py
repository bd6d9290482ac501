# SPDX-License-Identifier: Apache-2.0
"""What a forecast said of the value that came: its quantile, and that as standard deviations.

The probability integral transform u = F(log w) of a right forecast is uniform, whatever the
forecast's shape. z = Phi^-1(u) then is standard normal: the "3 sigma" of a two-component forecast
is |z| > 3, which a right forecast exceeds in 0.27 % of cases, be it skewed or heavy-tailed.
Source: competitor_bid appendix A, C-05.
"""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]

_ROOT_2 = math.sqrt(2)
_TINY = 1e-300
_NORMAL = NormalDist()
_erfc = np.frompyfunc(math.erfc, 1, 1)


def tails(mixture: NDArray[Any], log_w: NDArray[Any]) -> tuple[F64, F64]:
    """(P(log W <= log_w), P(log W > log_w)) of mixtures [n, 5], each exact where it is small."""
    mu_1, s_1, mu_2, s_2, alpha = np.asarray(mixture, np.float64).T
    z = np.stack([(log_w - mu_1) / s_1, (log_w - mu_2) / s_2]) / _ROOT_2
    weights = np.stack([alpha, 1 - alpha]) / 2
    below, above = (
        np.sum(weights * _erfc(side * z).astype(np.float64), axis=0) for side in (-1, 1)
    )
    return below, above


def z_scores(below: F64, above: F64) -> F64:
    """Phi^-1 of the quantile, from whichever tail is the smaller."""
    pairs = zip(below.tolist(), above.tolist(), strict=True)
    return np.array([_z(low, high) for low, high in pairs], np.float64)


def moments(mixture: NDArray[Any]) -> tuple[F64, F64]:
    """Mean and standard deviation of log W under mixtures [n, 5]."""
    mu_1, s_1, mu_2, s_2, alpha = np.asarray(mixture, np.float64).T
    beta = 1 - alpha
    variance = alpha * s_1**2 + beta * s_2**2 + alpha * beta * (mu_1 - mu_2) ** 2
    return alpha * mu_1 + beta * mu_2, np.sqrt(variance)


def _z(low: float, high: float) -> float:
    """Held within +-37, where the normal tail is 1e-300."""
    if low <= high:
        return _NORMAL.inv_cdf(max(low, _TINY))
    return -_NORMAL.inv_cdf(max(high, _TINY))
