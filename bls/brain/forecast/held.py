# SPDX-License-Identifier: Apache-2.0
"""The last forecasts, for when `bid_predictor` does not answer: usable for five minutes.

Source: competitor_bid S-02 (the last mu and sigma go on for 5 minutes).
"""

from __future__ import annotations

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from bls.limits import LIMITS, Limits
from bls.totals import Totals

F32 = NDArray[np.float32]

_ANY = ""
"""Stands for every conversation in a key: an advertiser's last forecast anywhere."""


@dataclass
class HeldStats:
    """`fallbacks` counts rows by kind: `held`, or `cautious` when nothing was held."""

    fallbacks: Totals = field(default_factory=Totals)
    age_s: float = 0.0


COUNTERS = {"cbp_fallback_total": ("fallbacks", "Rows that went without a fresh forecast, by kind")}
GAUGES = {"cbp_held_age_seconds": ("age_s", "Age of the held forecast that was used last")}


class HeldForecast:
    """Last mixture per (conversation, advertiser), and per advertiser for one that has none yet.

    Call it from any thread.

    Args:
        clock: monotonic seconds.
    """

    def __init__(
        self,
        stats: HeldStats | None = None,
        clock: Callable[[], float] = time.monotonic,
        limits: Limits = LIMITS,
    ) -> None:
        self.stats = stats or HeldStats()
        self._clock = clock
        self._limits = limits
        self._held: OrderedDict[tuple[str, str], tuple[float, F32]] = OrderedDict()
        self._lock = threading.Lock()

    def remember(self, conv: str, advertisers: Sequence[str], mixture: F32) -> None:
        """Keep a fresh forecast f32 [n, 5]; rows that are not finite are left out."""
        now = self._clock()
        good = np.isfinite(mixture).all(axis=1).tolist()
        with self._lock:
            for advertiser, row, usable in zip(advertisers, mixture.copy(), good, strict=True):
                if usable:
                    self._keep((conv, advertiser), (now, row))
                    self._keep((_ANY, advertiser), (now, row))
            self._sweep(now)

    def recall(self, conv: str, advertisers: Sequence[str]) -> F32:
        """What is held, f32 [n, 5]; a row of NaN where nothing is: bid the cautious bid there."""
        now = self._clock()
        with self._lock:
            self._sweep(now)
            rows = [self._find(conv, advertiser) for advertiser in advertisers]
        ages = [now - row[0] for row in rows if row is not None]
        for kind, count in (("held", len(ages)), ("cautious", len(rows) - len(ages))):
            if count:
                self.stats.fallbacks.add(count, kind=kind)
        self.stats.age_s = max(ages, default=self.stats.age_s)
        nothing = np.full(5, math.nan, np.float32)
        found = [nothing if row is None else row[1] for row in rows]
        return np.array(found, np.float32).reshape(len(rows), 5)

    def _find(self, conv: str, advertiser: str) -> tuple[float, F32] | None:
        return self._held.get((conv, advertiser)) or self._held.get((_ANY, advertiser))

    def _keep(self, key: tuple[str, str], value: tuple[float, F32]) -> None:
        self._held[key] = value
        self._held.move_to_end(key)
        if len(self._held) > self._limits.forecasts_held:
            self._held.popitem(last=False)

    def _sweep(self, now: float) -> None:
        oldest = now - self._limits.forecast_held_s
        while self._held and next(iter(self._held.values()))[0] < oldest:
            self._held.popitem(last=False)
