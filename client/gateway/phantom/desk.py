# SPDX-License-Identifier: Apache-2.0
"""The gateway's sessions: the book in memory, the spool on disk, and what belongs together.

A batch is applied to the book, scored, and written, in this order and one batch of a session at a
time; it is answered when it is on disk. A batch that could not be written is told again by its
client: then its ids are known, nothing is counted twice, and the lines that wait are written. After
a restart the book is made again from the lines of the last day.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from weakref import WeakValueDictionary

from bls.errors import SkynetError
from bls.limits import LIMITS
from bls.phantom.book import EVENT, SessionBook, ToldQuote
from bls.phantom.experiments import Experiments
from bls.phantom.features import SessionFeatures
from bls.phantom.lines import (
    EVENTS,
    IMPORT,
    PRICES,
    act_line,
    label_line,
    price_line,
)
from bls.phantom.live import LiveSession, Standing
from bls.phantom.past import Was
from bls.phantom.session import Mode
from bls.phantom.shop import catalogue
from client.gateway.phantom.bodies import Act, Placed
from client.gateway.phantom.conditions import Conditions
from client.gateway.phantom.record import SessionRecord
from client.gateway.phantom.score import ask
from client.gateway.upstream import Triton
from client.limiter import Limiter


class SessionDesk:
    """Made inside the event loop; it reads nothing before `begin` or the first request.

    Args:
        logs: log folder; None refuses every event.
        salt: file of the salt of user agents; None: they are not recorded.
    """

    def __init__(
        self, logs: Path | None, salt: Path | None, conditions: Conditions, triton: Triton
    ) -> None:
        self._triton, self._conditions = triton, conditions
        self._busy: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self.book = SessionBook()
        self._record = SessionRecord(logs, salt, self.book)
        self.score_timeout_s = LIMITS.score_timeout_s
        self.per_session = Limiter(LIMITS.session_requests_per_s, LIMITS.sessions)
        self.per_address = Limiter(LIMITS.session_address_requests_per_s)

    @property
    def experiments(self) -> Experiments:
        return self._conditions.current

    async def tell(
        self,
        sid: str,
        mode: Mode,
        acts: Sequence[Act],
        placed: Placed | None = None,
        user_agent: str = "",
    ) -> tuple[int, int, float | None]:
        """Take a batch; (new, told before, f(tau) or None when there is none yet).

        Raises:
            SkynetError: `session_full`, `mode_fixed`, `condition_fixed`, `unknown_condition`;
                `sessions_stalled` while it cannot be written, when it is to be told again.
        """
        await self._ready(len(acts))
        async with self._alone(sid):
            session = self._begin(sid, mode, placed, user_agent)
            applied = self.book.apply(sid, mode, [act.told for act in acts])
            scored = False
            try:
                scored = bool(applied.accepted) and await self._score(session)
            finally:
                last = len(applied.accepted) - 1
                lines = [
                    self._act(session, acts[place], scored and number == last)
                    for number, place in enumerate(applied.accepted)
                ]
                self._record.add(EVENTS, lines)
            await self._record.commit()
            return len(applied.accepted), applied.duplicates, session.score

    async def show(
        self, sid: str, mode: Mode, quotes: Sequence[ToldQuote], policy: str = "", version: str = ""
    ) -> tuple[int, int]:
        """Prices that a session was shown: (new, told before).

        Args:
            policy, version: what decided them, see the topic's schema.

        Raises:
            SkynetError: as `tell`.
        """
        await self._ready(len(quotes))
        async with self._alone(sid):
            session = self._begin(sid, mode)
            applied = self.book.quoted(sid, mode, quotes)
            shop, now = catalogue(mode), time.time()
            lines = []
            for place in applied.accepted:
                quote_id, quote = quotes[place]
                base = shop.item(quote.item).base_micros
                lines.append(
                    price_line(
                        session,
                        now,
                        quote_id,
                        quote,
                        base_micros=base,
                        currency=shop.currency,
                        policy=policy,
                        version=version,
                    )
                )
            self._record.add(PRICES, lines)
            await self._record.commit()
            return len(applied.accepted), applied.duplicates

    async def label(self, sid: str, standing: Standing, mode: Mode | None) -> LiveSession:
        """Say who a session is. Raises `unknown_session`, `invalid_label`, `synthetic_stays`."""
        await self._ready(1)
        async with self._alone(sid):
            live = self.book.get(sid)
            if live is not None:
                mode = mode or live.mode
            if mode is None:
                raise unknown_session()
            was = self.book.was(sid, mode)
            (Standing() if was is None else was.standing).becomes(standing)
            session = self._begin(sid, mode)
            if session.standing != standing:
                session.standing = standing
                line = label_line(session, time.time(), f"~{uuid.uuid4().hex}")
                self._record.add(EVENTS, [line])
            await self._record.commit()
            return session

    async def take_in(
        self, sid: str, mode: Mode, standing: Standing, acts: Sequence[Act]
    ) -> tuple[int, int]:
        """Acts of a sheet: recorded, never live. (new, told before).

        Raises:
            SkynetError: `session_live`, `invalid_label`, `sessions_stalled`.
        """
        standing.check()
        await self._ready(len(acts))
        async with self._alone(sid):
            if self.book.get(sid) is not None:
                why = "A session of this name is live: a sheet's are others."
                raise SkynetError("session_live", why, 409, "session_id")
            now = time.time()
            session = LiveSession(sid, mode, 0, now, SessionFeatures(), standing=standing)
            new = self.book.unseen(EVENT, sid, [act.told.event_id for act in acts])
            for place in new:
                event_id, event = acts[place].told
                self.book.note(EVENT, sid, event_id, now)
                raw = acts[place].raw_action
                line = act_line(session, now, event_id, event, raw_action=raw, meta="", kind=IMPORT)
                self._record.add(EVENTS, [line])
            await self._record.commit()
            return len(new), len(acts) - len(new)

    def begin(self) -> None:
        """Make the book again and look which experiments run, beside what is served meanwhile.
        Never raises."""
        self._record.begin()
        self._conditions.begin()

    async def restored(self) -> bool:
        """Whether the book holds what was live before; waits for it a moment, never raises."""
        return await self._record.restored()

    async def ready(self) -> None:
        """The book holds what was live before. Raises as `tell`."""
        await self._ready(0)

    async def close(self) -> None:
        """Nothing is taken any more; release the files."""
        await self._record.close()
        await self._conditions.close()

    async def _ready(self, count: int) -> None:
        await self._conditions.looked()
        await self._record.ready(count)

    def _begin(
        self, sid: str, mode: Mode, placed: Placed | None = None, user_agent: str = ""
    ) -> LiveSession:
        """The session, with its condition, which may be named until its first act."""
        if placed is not None:
            self._check_condition(self.book.was(sid, mode), placed, mode)
            condition = placed.name, placed.condition
        else:
            condition = self.condition(sid, mode)
        session = self.book.open(sid, mode)
        session.experiment, session.condition = condition
        if not session.user_agent:
            session.user_agent = self._record.hashed(user_agent)
        return session

    def _check_condition(self, known: Was | None, placed: Placed, mode: Mode) -> None:
        """Raises `unknown_condition`, `condition_fixed`."""
        self.experiments.check(placed.name, placed.condition, mode)
        if known is None or not known.acted:
            return
        if (known.experiment, known.condition) != (placed.name, placed.condition):
            why = "This session runs under another condition."
            raise SkynetError("condition_fixed", why, 409, "experiment")

    def condition(self, sid: str, mode: Mode) -> tuple[str, str]:
        """(experiment, condition) of a session, also of one that came back; of one that has neither
        acted nor any, what it gets now. Empty for none."""
        was = self.book.was(sid, mode)
        if was is not None and (was.experiment or was.acted):
            return was.experiment, was.condition
        return self.experiments.assign(sid, mode, time.time())

    async def _score(self, session: LiveSession) -> bool:
        found = await ask(self._triton, session, self.score_timeout_s)
        if found is None:
            return False
        session.scored(*found)
        return True

    def _act(self, session: LiveSession, act: Act, scored: bool) -> bytes:
        event_id, event = act.told
        return act_line(
            session,
            time.time(),
            event_id,
            event,
            raw_action=act.raw_action,
            meta=act.meta,
            scored=scored,
        )

    @asynccontextmanager
    async def _alone(self, sid: str) -> AsyncIterator[None]:
        """One request of a session at a time."""
        lock = self._busy.get(sid)
        if lock is None:
            lock = self._busy[sid] = asyncio.Lock()
        async with lock:
            yield


def unknown_session() -> SkynetError:
    """It is not live, or never was."""
    return SkynetError("unknown_session", "There is no such live session.", 404, "session_id")
