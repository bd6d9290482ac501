# SPDX-License-Identifier: Apache-2.0
"""Is the forecast still calibrated? The KS distance of recent quantiles from uniform.

Source: competitor_bid G-4, C-06 (KS 0.15, alert within 5 minutes). The window holds the last
2,000 quantiles, of those none older than 4 minutes as long as 200 remain. So after 4 minutes of a
drift it holds nothing else, and a KS of 0.2 is seen before 5 minutes are up, with one quantile a
second as with a thousand.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bls.jsonlog import JsonLog

ALERT = "KS_DRIFT_HIGH"


def ks_uniform(quantiles: NDArray[Any]) -> float:
    """Kolmogorov-Smirnov distance of a sample [n] from uniform on [0, 1]; NaN of none."""
    count = len(quantiles)
    if not count:
        return math.nan
    ordered = np.sort(np.asarray(quantiles, np.float64))
    steps = np.arange(count + 1) / count
    return float(np.maximum(steps[1:] - ordered, ordered - steps[:-1]).max())


@dataclass(frozen=True)
class DriftOptions:
    """`repeat_s`: a drift that lasts is told again that often."""

    window: int = 2_000
    least: int = 200
    age_s: float = 240.0
    threshold: float = 0.15
    repeat_s: float = 300.0


@dataclass
class DriftStats:
    """`ks` is 0 until there are enough quantiles."""

    ks: float = 0.0
    samples: int = 0
    alerts: int = 0


COUNTERS = {"cbp_ks_alerts_total": ("alerts", "Alerts KS_DRIFT_HIGH: KS drift above 0.15")}
GAUGES = {
    "cbp_ks_drift": ("ks", "KS distance of recent forecasts' quantiles from uniform"),
    "cbp_ks_samples": ("samples", "Quantiles it was computed from"),
}


class DriftMonitor:
    """Not thread-safe.

    Args:
        log: where the `alerts` line goes.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        stats: DriftStats | None = None,
        log: JsonLog | None = None,
        clock: Callable[[], float] = time.monotonic,
        options: DriftOptions = DriftOptions(),
    ) -> None:
        self.stats = stats or DriftStats()
        self._log = log
        self._clock = clock
        self._options = options
        self._seen: deque[tuple[float, float]] = deque(maxlen=options.window)
        self._alerted_at = -math.inf

    def add(self, quantiles: Iterable[float]) -> None:
        """Quantiles F(log w) of forecasts whose W_-i is known by now."""
        now = self._clock()
        self._seen.extend((now, quantile) for quantile in quantiles)

    def check(self) -> float:
        """The drift now, NaN with fewer than 200 quantiles; alerts when it is above the threshold.

        Sorts the window (0.1 ms): meant for once a second, not for every token.
        """
        now = self._clock()
        self._forget(now)
        self.stats.samples = len(self._seen)
        if len(self._seen) < self._options.least:
            self.stats.ks = 0.0
            return math.nan
        drift = ks_uniform(np.array([quantile for _, quantile in self._seen]))
        self.stats.ks = drift
        if drift <= self._options.threshold:
            self._alerted_at = -math.inf
        elif now >= self._alerted_at + self._options.repeat_s:
            self._alerted_at = now
            self._alert(drift)
        return drift

    def _forget(self, now: float) -> None:
        while len(self._seen) > self._options.least:
            if self._seen[0][0] >= now - self._options.age_s:
                return
            self._seen.popleft()

    def _alert(self, drift: float) -> None:
        self.stats.alerts += 1
        if self._log is not None:
            self._log.write(
                "alerts",
                alert=ALERT,
                ks=round(drift, 4),
                threshold=self._options.threshold,
                samples=self.stats.samples,
            )
