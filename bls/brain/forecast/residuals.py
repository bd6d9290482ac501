# SPDX-License-Identifier: Apache-2.0
"""How far off each forecast was, once the auction has told W_-i: the stream `predictor.errors`.

Source: competitor_bid 2.2 E, 4 and C-05. A residual beyond 3 sigma is always written; of the others
every `every`-th prediction is, all by default. `pit.py` says what 3 sigma means for a mixture.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bls.brain.features import log_weight
from bls.brain.forecast.pit import moments, tails, z_scores
from bls.jsonlog import JsonLog

SIGMAS = 3.0
VERSION = 1
_RECENT = 10_000

F64 = NDArray[np.float64]


@dataclass
class ResidualStats:
    """Rows, not tokens. `error_ratio`: of the last 10,000."""

    residuals: int = 0
    errors: int = 0
    error_ratio: float = 0.0
    lost: int = 0


COUNTERS = {
    "cbp_residuals_total": ("residuals", "Forecasts compared with the auction's W_-i"),
    "cbp_residual_errors_total": ("errors", "Of those, beyond 3 sigma"),
    "cbp_residuals_lost_total": ("lost", "Forecasts not compared: too many were waiting"),
}
GAUGES = {"cbp_error_ratio": ("error_ratio", "Share beyond 3 sigma of the last 10,000")}


@dataclass(frozen=True)
class Observation:
    """Forecasts f32 [n, 5] of one token, the W_-i [n] it was sold at, and the versions that made
    them (`bls.models.served`); none: not known."""

    conv_id: str
    request_id: str
    token_idx: int
    advertisers: Sequence[str]
    mixture: NDArray[Any]
    w_minus: NDArray[Any]
    predictors: Sequence[str] = ()


class ResidualLog:
    """Not thread-safe."""

    def __init__(
        self, stats: ResidualStats | None = None, log: JsonLog | None = None, every: int = 1
    ) -> None:
        self.stats = stats or ResidualStats()
        self._log = log
        self._every = every
        self._recent: deque[bool] = deque(maxlen=_RECENT)
        self._recent_errors = 0
        self._tokens = 0

    def record(self, seen: Observation) -> F64:
        """Compare and write; returns the quantiles [n] of W_-i under the forecasts."""
        log_w = log_weight(seen.w_minus)
        below, above = tails(seen.mixture, log_w)
        z = z_scores(below, above)
        outlier = np.abs(z) > SIGMAS
        self._count(outlier.tolist())
        self._tokens += 1
        if self._log is not None:
            whole = self._tokens % self._every == 0
            self._write(seen, z, outlier | whole)
        return below

    def _count(self, outliers: list[bool]) -> None:
        for outlier in outliers:
            if len(self._recent) == _RECENT:
                self._recent_errors -= self._recent[0]
            self._recent.append(outlier)
            self._recent_errors += outlier
        self.stats.residuals += len(outliers)
        self.stats.errors += sum(outliers)
        self.stats.error_ratio = self._recent_errors / max(1, len(self._recent))

    def _write(self, seen: Observation, z: F64, wanted: NDArray[np.bool_]) -> None:
        assert self._log is not None
        mu, sigma = moments(seen.mixture)
        for row in np.flatnonzero(wanted).tolist():
            self._log.write(
                "predictor.errors",
                v=VERSION,
                conv_id=seen.conv_id,
                request_id=seen.request_id,
                token_idx=seen.token_idx,
                advertiser=seen.advertisers[row],
                mu=float(mu[row]),
                sigma=float(sigma[row]),
                mixture=seen.mixture[row].tolist(),
                w_true=float(seen.w_minus[row]),
                z=float(z[row]),
                outlier=bool(abs(z[row]) > SIGMAS),
                predictor=seen.predictors[row] if seen.predictors else "",
            )
