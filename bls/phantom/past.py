# SPDX-License-Identifier: Apache-2.0
"""Who a session was and what it ran under, remembered for a day and in bounded memory.

It outlives the sessions: one that comes back goes on under its condition and its label.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import NamedTuple

from bls.phantom.live import LiveSession, Standing
from bls.phantom.session import Mode


class Was(NamedTuple):
    """`acted`: it had events; until then its condition may be named."""

    experiment: str
    condition: str
    standing: Standing
    acted: bool


class Past:
    """Only the event loop calls it.

    Args:
        most: sessions kept; the oldest go first.
        age_s: and after so long.
    """

    def __init__(self, most: int, age_s: float) -> None:
        self._most, self._age_s = most, age_s
        self._was: OrderedDict[tuple[Mode, str], tuple[float, Was]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._was)

    def get(self, sid: str, mode: Mode) -> Was | None:
        """Of a session of that mode; None: never heard of, or too long ago."""
        found = self._was.get((mode, sid))
        return None if found is None else found[1]

    def note(self, session: LiveSession) -> None:
        """It is over; sessions are noted in the order they were heard of last."""
        key, was = (session.mode, session.sid), self.of(session)
        self._was.pop(key, None)
        self._was[key] = (session.heard, was)
        self.drop(session.heard)

    def of(self, session: LiveSession) -> Was:
        """What is to be remembered of a session that is live."""
        before = self.get(session.sid, session.mode)
        acted = bool(session.events) or (before is not None and before.acted)
        return Was(session.experiment, session.condition, session.standing, acted)

    def drop(self, now: float) -> None:
        """Forget what is too old at `now`, Unix seconds, or too much."""
        while self._was:
            heard, _ = next(iter(self._was.values()))
            if len(self._was) <= self._most and heard >= now - self._age_s:
                return
            self._was.popitem(last=False)
