# SPDX-License-Identifier: Apache-2.0
"""What happened in the shop, on its way to the gateway: bounded, in order, never in a page's way.

Entries of one session and kind travel together. An entry keeps its id however often it is sent,
so the gateway counts it once.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from bls.limits import LIMITS
from client.storefront.gateway import Sent
from client.storefront.settings import StorefrontSettings

log = logging.getLogger("skynet.shop")

Kind = Literal["events", "prices"]
Send = Callable[[str, dict[str, Any], str], Awaitable[Sent]]

_FIELD: dict[Kind, str] = {"events": "events", "prices": "quotes"}
_MOST: dict[Kind, int] = {"events": LIMITS.events_per_request, "prices": LIMITS.quotes_per_request}


@dataclass
class _Waiting:
    """Entries of one session and kind, oldest first."""

    user_agent: str
    entries: deque[dict[str, Any]] = field(default_factory=deque)


class Outbox:
    """`put` never waits; `run` sends until it is cancelled."""

    def __init__(self, settings: StorefrontSettings, send: Send) -> None:
        self._settings, self._send = settings, send
        self._held: OrderedDict[tuple[str, Kind], _Waiting] = OrderedDict()
        self._ready = asyncio.Event()
        self.waiting = 0
        self.sent = 0
        self.dropped = 0
        """Entries that found the queue full, or that the gateway refused."""

    def put(self, kind: Kind, sid: str, user_agent: str, entry: dict[str, Any]) -> bool:
        """Take an entry; False when the queue is full and it is dropped."""
        if self.waiting >= self._settings.queue:
            if not self.dropped:
                log.warning("the gateway takes no events and the queue is full: dropping")
            self.dropped += 1
            return False
        held = self._held.setdefault((sid, kind), _Waiting(user_agent))
        held.entries.append(entry)
        self.waiting += 1
        self._ready.set()
        return True

    async def run(self) -> None:
        """Send what comes; after a failure wait, longer each time."""
        pause = self._settings.retry_s
        while True:
            await self._ready.wait()
            await asyncio.sleep(self._settings.gather_s)
            while self._held:
                if await self._send_one():
                    pause = self._settings.retry_s
                else:
                    await asyncio.sleep(pause)
                    pause = min(2 * pause, self._settings.retry_max_s)
            self._ready.clear()

    async def _send_one(self) -> bool:
        """One request for the session that waits longest; False when it is to come again."""
        key, held = next(iter(self._held.items()))
        sid, kind = key
        entries = list(held.entries)[: _MOST[kind]]
        outcome = await self._send(f"/v1/{kind}", self._body(sid, kind, entries), held.user_agent)
        if outcome is Sent.LATER:
            self._held.move_to_end(key)
            return False
        for _ in entries:
            held.entries.popleft()
        self.waiting -= len(entries)
        if not held.entries:
            del self._held[key]
        if outcome is Sent.DONE:
            self.sent += len(entries)
        else:
            self.dropped += len(entries)
            log.warning("the gateway refused %d %s", len(entries), kind)
        return True

    def _body(self, sid: str, kind: Kind, entries: list[dict[str, Any]]) -> dict[str, Any]:
        return {"session_id": sid, "mode": self._settings.mode, _FIELD[kind]: entries}

    async def drain(self) -> None:
        """Give what waits a last chance, for `shutdown_s`."""
        try:
            async with asyncio.timeout(self._settings.shutdown_s):
                while self._held:
                    await asyncio.sleep(0.01)
        except TimeoutError:
            log.warning("%d records of the shop were not taken by the gateway", self.waiting)
