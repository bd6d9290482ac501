# SPDX-License-Identifier: Apache-2.0
"""Keeps a database that is away from stalling every token: one question at a time finds out."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

from bls.errors import SkynetError

T = TypeVar("T")

PAUSE_S, PAUSE_MAX_S = 1.0, 30.0


class Asking:
    """Asks the database, unless it has just been found away.

    After a failure nobody asks for a while, twice as long after each; then one caller does while
    the others are still refused.

    Args:
        prepare: done once before anything is asked; again later when it raises.
        failed: told of every failure.
        clock: seconds that never go back.
    """

    def __init__(
        self,
        prepare: Callable[[], None],
        failed: Callable[[Exception], None],
        clock: Callable[[], float],
    ) -> None:
        self._prepare, self._failed, self._clock = prepare, failed, clock
        self._lock, self._preparing = threading.Lock(), threading.Lock()
        self._prepared = False
        self._away = False
        self._pause_s = PAUSE_S
        self._until = float("-inf")

    def __call__(self, question: Callable[[], T]) -> T:
        """The answer. Raises `budget_stalled` when there is none; errors of the request as is."""
        self._admit()
        try:
            self._ready()
        except Exception as fault:  # nobody asked for it, so it is never the request's error
            raise self._away_for(fault) from fault
        try:
            answer = question()
        except Exception as fault:
            if isinstance(fault, SkynetError) and fault.status < 500:
                self._answered()
                raise
            raise self._away_for(fault) from fault
        self._answered()
        return answer

    def _admit(self) -> None:
        """Raise unless this caller may ask."""
        if not self._prepared and self._preparing.locked():
            raise stalled()
        with self._lock:
            if self._away:
                if self._clock() < self._until:
                    raise stalled()
                self._until = self._clock() + self._pause_s  # the others wait for this one

    def _ready(self) -> None:
        if self._prepared:
            return
        with self._preparing:
            if not self._prepared:
                self._prepare()
                self._prepared = True

    def _answered(self) -> None:
        if self._away:
            with self._lock:
                self._away, self._pause_s = False, PAUSE_S

    def _away_for(self, fault: Exception) -> SkynetError:
        with self._lock:
            self._away = True
            self._until = self._clock() + self._pause_s
            self._pause_s = min(2 * self._pause_s, PAUSE_MAX_S)
        self._failed(fault)
        return stalled()


def stalled() -> SkynetError:
    """Nobody knows what is left, so nothing is."""
    return SkynetError("budget_stalled", "Spending cannot be recorded now.", 503)
