# SPDX-License-Identifier: Apache-2.0
"""How often a worker that dies is started again."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

RESTARTS = 5
WINDOW_S = 60.0


class Storm:
    """`RESTARTS` deaths within `WINDOW_S` mean that the machine is broken: the last of them is the
    first that is followed by a pause."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._deaths: deque[float] = deque(maxlen=RESTARTS)

    def death(self) -> float:
        """Note one; seconds to wait before the next worker is started, mostly 0."""
        now = self._clock()
        self._deaths.append(now)
        storm = len(self._deaths) == RESTARTS and now - self._deaths[0] < WINDOW_S
        return WINDOW_S if storm else 0.0
