# SPDX-License-Identifier: Apache-2.0
"""The live sessions of one gateway, in bounded memory: who may be an agent, who was shown what.

Everything about a session that other parts of the gateway ask for is here: the price provider and
the chat bridge read `score`, `demand`, `quotes_of` and `events_of`. A session is forgotten when it
was idle for `session_idle_s`, or as the longest idle one when there are too many; what it did is in
the lake. Who it was and its condition are remembered for a day, should it come back. Only the event
loop calls it.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import NamedTuple

from bls.errors import SkynetError
from bls.limits import LIMITS, Limits
from bls.phantom.features import SessionFeatures, places
from bls.phantom.live import LiveSession
from bls.phantom.past import Past, Was
from bls.phantom.seen import Seen
from bls.phantom.session import Mode, Quote, SessionEvent

EVENT, QUOTE = "event", "quote"


class ToldEvent(NamedTuple):
    """An event and the id that its teller gave it."""

    event_id: str
    event: SessionEvent


class ToldQuote(NamedTuple):
    """A price that was shown and the id that its teller gave it."""

    quote_id: str
    quote: Quote


class Applied(NamedTuple):
    """What came of a batch: the places in it that are new, and how many were told before."""

    accepted: tuple[int, ...]
    duplicates: int


class SessionBook:
    """Args:
    clock: Unix seconds.
    """

    def __init__(self, limits: Limits = LIMITS, clock: Callable[[], float] = time.time) -> None:
        self._limits, self._clock = limits, clock
        self._live: OrderedDict[str, LiveSession] = OrderedDict()
        self._seen = Seen(limits.events_remembered, limits.event_age_s)
        self._past = Past(limits.sessions_remembered, limits.event_age_s)
        self.forgotten = 0
        """Sessions that had to go before they were idle for long."""

    def __len__(self) -> int:
        return len(self._live)

    def score(self, sid: str) -> float | None:
        """f(tau), the probability that an agent acts; None for a session that has none yet."""
        found = self.get(sid)
        return None if found is None else found.score

    def served(self, sid: str) -> int:
        """Which version of `agent_score` said so (`bls.models.served_id`); 0: none has."""
        found = self.get(sid)
        return 0 if found is None else found.served

    def events_of(self, sid: str) -> int:
        """Events of the session so far."""
        found = self.get(sid)
        return 0 if found is None else found.events

    def quotes_of(self, sid: str, item: str) -> int:
        """How often the session was shown a price of this item."""
        found = self.get(sid)
        return 0 if found is None else found.shown.get(item, 0)

    def demand(self, sid: str) -> dict[str, float]:
        """The session's demand proxy: item -> its part of 100; items never acted on are left out,
        so nobody's is empty."""
        found = self.get(sid)
        return {} if found is None else found.demand()

    def get(self, sid: str) -> LiveSession | None:
        """A session that is live; asking does not keep it alive."""
        found = self._live.get(sid)
        if found is None or found.heard < self._clock() - self._limits.session_idle_s:
            return None
        return found

    def was(self, sid: str, mode: Mode) -> Was | None:
        """Who a session of that mode is, or was when it is over; None for one never seen."""
        self._drop_idle(self._clock())
        found = self._live.get(sid)
        if found is not None and found.mode == mode:
            return self._past.of(found)
        return self._past.get(sid, mode)

    def sessions(self) -> list[LiveSession]:
        """All that are live, the one heard of last first."""
        self._drop_idle(self._clock())
        return list(reversed(self._live.values()))

    def open(self, sid: str, mode: Mode, now: float | None = None) -> LiveSession:
        """The session, begun when it is not live. Raises `mode_fixed`.

        Args:
            now: Unix seconds when it was heard of; only a restoration says other than the clock.
        """
        now = self._clock() if now is None else now
        self._drop_idle(now)
        found = self._live.get(sid)
        if found is None:
            found = self._live[sid] = self._begun(sid, mode, now)
            if len(self._live) > self._limits.sessions:
                self._past.note(self._live.popitem(last=False)[1])
                self.forgotten += 1
        if found.mode != mode:
            raise SkynetError("mode_fixed", "This session is of the other mode.", 409, "mode")
        found.heard = now
        self._live.move_to_end(sid)
        return found

    def apply(
        self, sid: str, mode: Mode, events: Sequence[ToldEvent], now: float | None = None
    ) -> Applied:
        """Take the events that are new, all or none. Raises `session_full`, `mode_fixed`."""
        session = self.open(sid, mode, now)
        new = self.unseen(EVENT, sid, [told.event_id for told in events])
        self._room(session.events + len(new))
        for place in new:
            session.push(events[place].event)
            self._seen.note(EVENT, sid, events[place].event_id, session.heard)
        return Applied(new, len(events) - len(new))

    def quoted(
        self, sid: str, mode: Mode, quotes: Sequence[ToldQuote], now: float | None = None
    ) -> Applied:
        """Take the prices shown that are new, all or none. Raises as `apply`."""
        session = self.open(sid, mode, now)
        new = self.unseen(QUOTE, sid, [told.quote_id for told in quotes])
        self._room(session.quotes + len(new))
        for place in new:
            session.quoted(quotes[place].quote)
            self._seen.note(QUOTE, sid, quotes[place].quote_id, session.heard)
        return Applied(new, len(quotes) - len(new))

    def note(self, kind: str, sid: str, name: str, now: float) -> None:
        """This id is taken, of a session that is not live: of an import."""
        self._seen.note(kind, sid, name, now)

    def _begun(self, sid: str, mode: Mode, now: float) -> LiveSession:
        """A session without acts; one that comes back has its label and its condition."""
        session = LiveSession(sid, mode, int(now * 1000), now, SessionFeatures(places(mode)))
        was = self._past.get(sid, mode)
        if was is not None:
            session.experiment, session.condition = was.experiment, was.condition
            session.standing = was.standing
        return session

    def _room(self, count: int) -> None:
        if count > self._limits.session_events:
            raise SkynetError("session_full", "This session has had all it may have.", 409)

    def unseen(self, kind: str, sid: str, names: Sequence[str]) -> tuple[int, ...]:
        """Places of the ids that were not taken yet; of the same id, the first."""
        first = {name: place for place, name in reversed(list(enumerate(names)))}
        fresh = (place for name, place in first.items() if not self._seen.knows(kind, sid, name))
        return tuple(sorted(fresh))

    def _drop_idle(self, now: float) -> None:
        self._past.drop(now)
        while self._live:
            oldest = next(iter(self._live.values()))
            if oldest.heard >= now - self._limits.session_idle_s:
                return
            self._past.note(self._live.popitem(last=False)[1])
