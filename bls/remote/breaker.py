# SPDX-License-Identifier: Apache-2.0
"""When to leave a bidder alone: after a failure for a while, after the next one for twice as long.

A bidder that is away, slow or broken then costs one try per pause instead of one per reply.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from bls.limits import LIMITS


class Breaker:
    """Of one bidder. Not thread-safe: the exchange's loop owns it."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures = 0
        self._failed_at = -math.inf
        self._closed_until = -math.inf

    def allows(self) -> bool:
        """Whether to try now. After a pause one try is allowed per further pause."""
        if not self._failures:
            return True
        now = self._clock()
        if now < self._closed_until:
            return False
        self._closed_until = now + self._pause
        return True

    def failed(self, tried_at: float) -> None:
        """A try of `tried_at` failed. Tries that were under way together fail once."""
        if tried_at < self._failed_at:
            return
        self._failures += 1
        self._failed_at = self._clock()
        self._closed_until = self._failed_at + self._pause

    def succeeded(self) -> None:
        self._failures = 0

    @property
    def _pause(self) -> float:
        doubled = LIMITS.remote_pause_s * 2.0 ** min(self._failures - 1, 16)
        return min(LIMITS.remote_pause_max_s, doubled)
