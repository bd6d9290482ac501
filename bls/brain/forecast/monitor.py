# SPDX-License-Identifier: Apache-2.0
"""Residuals and drift of every forecast, on a thread of their own: a reply only queues them."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from bls.brain.forecast.drift import DriftMonitor
from bls.brain.forecast.residuals import Observation, ResidualLog
from bls.limits import LIMITS, Limits

_CHECK_S = 1.0
_REST_S = 0.05


class ForecastMonitor:
    """`observe` from any thread; it never waits. A full queue drops the observation and counts it.

    Args:
        clock: monotonic seconds.
    """

    def __init__(
        self,
        residuals: ResidualLog,
        drift: DriftMonitor,
        clock: Callable[[], float] = time.monotonic,
        limits: Limits = LIMITS,
    ) -> None:
        self.residuals = residuals
        self.drift = drift
        self.faults = 0
        self._clock = clock
        self._checked_at = clock()
        self._queue: queue.Queue[Observation] = queue.Queue(limits.forecast_queue)
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, name="forecast-monitor", daemon=True)
        self._thread.start()

    def observe(self, seen: Observation) -> None:
        """Forecasts that were used for a token, and what they were to foresee.

        Rows that are not finite (no forecast, or a dropped row) are left out.
        """
        try:
            self._queue.put_nowait(seen)
        except queue.Full:
            self.residuals.stats.lost += len(seen.advertisers)

    def close(self) -> None:
        """Work off what is queued, then end."""
        self._done.set()
        self._thread.join(timeout=10)

    def _run(self) -> None:
        """In batches, so that replies are not interrupted at every token."""
        while not self._done.wait(_REST_S):
            self._drain()
        self._drain()

    def _drain(self) -> None:
        for _ in range(self._queue.qsize()):
            try:
                self._take(self._queue.get_nowait())
            except Exception:  # an observation of the wrong shape must not end the monitor
                self.faults += 1
        now = self._clock()
        if now >= self._checked_at + _CHECK_S:
            self._checked_at = now
            self.drift.check()

    def _take(self, seen: Observation) -> None:
        mixture, w_minus = np.asarray(seen.mixture), np.asarray(seen.w_minus)
        good = np.isfinite(mixture).all(axis=1) & np.isfinite(w_minus)
        if not good.any():
            return
        names = [name for name, usable in zip(seen.advertisers, good, strict=True) if usable]
        versions = [v for v, usable in zip(seen.predictors, good, strict=False) if usable]
        kept = replace(
            seen,
            advertisers=names,
            mixture=mixture[good],
            w_minus=w_minus[good],
            predictors=versions,
        )
        self.drift.add(self.residuals.record(kept).tolist())


COUNTERS = {"cbp_monitor_faults_total": ("faults", "Observations that could not be judged")}
GAUGES: dict[str, tuple[str, str]] = {}
