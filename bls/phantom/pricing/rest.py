# SPDX-License-Identifier: Apache-2.0
"""A model that keeps failing is left alone for a moment, so that no page waits for it in vain."""

from __future__ import annotations

from collections.abc import Callable


class Rest:
    """After `most` failures in a row one call in every `pause_s` is let through, until one works.

    Args:
        clock: seconds that never go back.
    """

    def __init__(self, most: int, pause_s: float, clock: Callable[[], float]) -> None:
        self._most, self._pause_s, self._clock = most, pause_s, clock
        self._failures = 0
        self._until = 0.0

    def over(self) -> bool:
        """Whether to ask now; who is told so while it rests is the one that tries."""
        if self._failures < self._most:
            return True
        now = self._clock()
        if now < self._until:
            return False
        self._until = now + self._pause_s
        return True

    def told(self, worked: bool) -> None:
        """How a call ended."""
        self._failures = 0 if worked else self._failures + 1
        if self._failures == self._most:
            self._until = self._clock() + self._pause_s
