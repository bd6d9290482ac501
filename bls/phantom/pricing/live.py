# SPDX-License-Identifier: Apache-2.0
"""What a gateway's live sessions tell the price provider.

The demand proxy of the market is that of the sessions heard of last, together: a policy learned on
what many sessions did in a step, not on what this one does.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from bls.phantom.pricing.state import WHOLE, Sight
from bls.phantom.session import MODES, Mode

SESSIONS = 1_000
"""Whose acts make the market's demand."""

REFRESH_S = 5.0
"""How old the market's demand may be."""


class Live(Protocol):
    """One session, as `bls.phantom.live.LiveSession` has it.

    Attributes:
        unscored_since: Unix seconds of the oldest act that the score leaves out; 0 for none.
        weights: of each item acted on, before it is normalised.
    """

    mode: Mode
    condition: str
    score: float | None
    unscored_since: float
    weights: dict[str, float]

    @property
    def events(self) -> int: ...


class Book(Protocol):
    """`bls.phantom.book.SessionBook`."""

    def get(self, sid: str) -> Live | None: ...

    def sessions(self) -> Sequence[Live]: ...


Condition = Callable[[str, Mode], str]


class LiveSessions:
    """The provider's `Sessions`.

    Args:
        condition: that a session which is not live, or has neither acted nor any, is under.
        clock: Unix seconds.
    """

    def __init__(
        self, book: Book, condition: Condition, clock: Callable[[], float] = time.time
    ) -> None:
        self._book, self._condition, self._clock = book, condition, clock
        self._demand: Mapping[Mode, Mapping[str, float]] = {}
        self._next = 0.0

    def sight(self, session_id: str, mode: Mode) -> Sight:
        live = self._book.get(session_id)
        if live is None:
            return Sight(condition=self._condition(session_id, mode))
        since = live.unscored_since
        behind = max(self._clock() - since, 0.0) if since else 0.0
        condition = live.condition
        if not condition and not live.events:
            condition = self._condition(session_id, mode)
        return Sight(live.score, live.events, behind, condition)

    def demand(self, mode: Mode) -> Mapping[str, float]:
        now = self._clock()
        if not self._next - REFRESH_S <= now < self._next:
            self._demand = _demand(self._book.sessions()[:SESSIONS])
            self._next = now + REFRESH_S
        return self._demand.get(mode, {})


def _demand(sessions: Sequence[Live]) -> dict[Mode, dict[str, float]]:
    """item -> share of 100, by mode; only items that were acted on."""
    totals: dict[Mode, dict[str, float]] = {mode: {} for mode in MODES}
    for session in sessions:
        into = totals[session.mode]
        for item, weight in session.weights.items():
            into[item] = into.get(item, 0.0) + weight
    return {
        mode: {item: WHOLE * weight / whole for item, weight in found.items()}
        for mode, found in totals.items()
        if (whole := sum(found.values()))
    }
