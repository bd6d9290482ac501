# SPDX-License-Identifier: Apache-2.0
"""What happened in the shop, on its way to the gateway: bounded, in order, never in a page's way.

Entries of one session and kind travel together, and sessions take turns: one that tells more than
the gateway takes of it waits alone and loses its own entries. An entry keeps its id however often
it is sent, so the gateway counts it once.

Prices are offers, so they find room where acts find none: half of the queue is theirs alone, and a
price that a session is shown again while it waits takes the place of the one before, see `waiting`.
A session then holds one entry an item and what is under way, however long the gateway is away. An
eighth is left to acts, so that prices do not crowd out a purchase.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import Counter, OrderedDict
from collections.abc import Awaitable, Callable
from typing import Any, Literal

from bls.limits import LIMITS
from client.storefront.gateway import Fault, Sent
from client.storefront.settings import StorefrontSettings
from client.storefront.waiting import Waiting

log = logging.getLogger("skynet.shop")

Kind = Literal["events", "prices"]
Key = tuple[str, Kind]
Send = Callable[[str, dict[str, Any], str], Awaitable[Sent | Fault]]

_FIELD: dict[Kind, str] = {"events": "events", "prices": "quotes"}
_MOST: dict[Kind, int] = {"events": LIMITS.events_per_request, "prices": LIMITS.quotes_per_request}
_PARTS = 8
"""A session holds at most so many times what is free: hundreds that flood still leave some free."""
_LEFT: dict[Kind, int] = {"events": 2, "prices": 8}
"""That part of the queue is left to the other kind: a half, an eighth."""


class Outbox:
    """`put` never waits; `run` sends until it is cancelled."""

    def __init__(self, settings: StorefrontSettings, send: Send) -> None:
        self._settings, self._send = settings, send
        self._held: OrderedDict[Key, Waiting] = OrderedDict()
        self._ready = asyncio.Event()
        self._waiting: Counter[Kind] = Counter()
        self._lost: Counter[Kind] = Counter()
        self._said: set[Kind] = set()
        self.sent = 0
        self.repeated = 0
        """Prices shown again while the same one waited: told once, as shown last."""

    @property
    def waiting(self) -> int:
        return self._waiting.total()

    @property
    def dropped(self) -> int:
        """Entries that found no room, or that the gateway refused."""
        return self._lost.total()

    @property
    def prices_lost(self) -> int:
        """Of those, prices: they were shown, and no record says so."""
        return self._lost["prices"]

    def put(self, kind: Kind, sid: str, user_agent: str, entry: dict[str, Any]) -> bool:
        """Take an entry; False when it is dropped: the queue is full, or the session's part."""
        held = self._held.get((sid, kind))
        if held is not None and held.again(entry):
            self.repeated += 1
            return True
        if not self._has_room(kind, len(held.entries) if held else 0):
            if kind not in self._said:
                self._said.add(kind)
                level = logging.ERROR if kind == "prices" else logging.WARNING
                log.log(level, "more happens than the gateway takes: dropping %s", kind)
            self._lost[kind] += 1
            return False
        if held is None:
            held = self._held[sid, kind] = Waiting(user_agent, self._settings.retry_s)
        held.add(entry)
        self._waiting[kind] += 1
        self._ready.set()
        return True

    def _has_room(self, kind: Kind, held: int) -> bool:
        """Whether a session that holds so many entries may hold one more. Of acts it is fewer, the
        fuller it is, so others find room; of prices none has more than the catalogue has items."""
        queue = self._settings.queue
        free = min(queue - self.waiting, queue - queue // _LEFT[kind] - self._waiting[kind])
        if kind == "prices":
            return free > 0
        return held < min(self._settings.session_queue, _PARTS * free)

    async def run(self) -> None:
        """Send what comes; after a failure wait, longer each time."""
        pause = self._settings.retry_s
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._rest_s()):
                    await self._ready.wait()
            self._ready.clear()
            await asyncio.sleep(self._settings.gather_s)
            while (key := self._next()) is not None:
                if await self._send_of(key):
                    pause = self._settings.retry_s
                else:
                    await asyncio.sleep(pause)
                    pause = min(2 * pause, self._settings.retry_max_s)

    def _next(self) -> Key | None:
        """Of those that may send, the one whose turn was longest ago."""
        now = time.monotonic()
        return next((key for key, held in self._held.items() if held.until <= now), None)

    def _rest_s(self) -> float | None:
        """Until the first of those that wait may send again; None: nobody waits."""
        first = min((held.until for held in self._held.values()), default=None)
        return None if first is None else max(0.0, first - time.monotonic())

    async def _send_of(self, key: Key) -> bool:
        """One request, and the turn is over; False when the gateway takes nothing of anybody."""
        sid, kind = key
        held = self._held[key]
        entries = held.hand_out(_MOST[kind])
        outcome = await self._send(f"/v1/{kind}", self._body(sid, kind, entries), held.user_agent)
        self._held.move_to_end(key)
        if outcome is Sent.LATER:
            self._back(key, entries)
            return False
        if outcome is Sent.BUSY:
            self._back(key, entries)
            held.until = time.monotonic() + held.pause_s
            held.pause_s = min(2 * held.pause_s, self._settings.retry_max_s)
            return True
        held.pause_s = self._settings.retry_s
        if isinstance(outcome, Fault) and outcome.entry < len(entries):
            self._gone(key, outcome.entry, outcome.entry + 1, sent=False)
            self._back(key, entries[: outcome.entry] + entries[outcome.entry + 1 :])
        else:
            self._gone(key, 0, len(entries), sent=outcome is Sent.DONE)
        return True

    def _back(self, key: Key, entries: list[dict[str, Any]]) -> None:
        """Entries that were not taken wait on; a price shown again meanwhile is told as that."""
        if entries:
            again = self._held[key].take_back(entries)
            self._waiting[key[1]] -= again
            self.repeated += again

    def _gone(self, key: Key, first: int, end: int, *, sent: bool) -> None:
        """Entries `first` to `end` of a session wait no longer."""
        held, count = self._held[key], end - first
        for _ in range(count):
            del held.entries[first]
        self._waiting[key[1]] -= count
        if not held.entries:
            del self._held[key]
        if sent:
            self.sent += count
        else:
            self._lost[key[1]] += count
            log.warning("the gateway refused %d %s", count, key[1])

    def _body(self, sid: str, kind: Kind, entries: list[dict[str, Any]]) -> dict[str, Any]:
        return {"session_id": sid, "mode": self._settings.mode, _FIELD[kind]: entries}

    async def drain(self) -> None:
        """Give what waits a last chance, for `shutdown_s`."""
        try:
            async with asyncio.timeout(self._settings.shutdown_s):
                while self._held:
                    await asyncio.sleep(0.01)
        except TimeoutError:
            why = "%d records of the shop, %d of them prices, were not taken by the gateway"
            log.warning(why, self.waiting, self._waiting["prices"])
