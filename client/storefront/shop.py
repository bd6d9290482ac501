# SPDX-License-Identifier: Apache-2.0
"""What the routes of one shop share: catalogue, visits, prices, and the way to the gateway."""

from __future__ import annotations

import asyncio
import contextlib
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field

from starlette.requests import Request

from bls.errors import SkynetError
from bls.phantom.shop import Catalogue, Item, catalogue
from client.limiter import Limiter
from client.storefront.gateway import GatewayClient
from client.storefront.modes import WORDS, Words, options
from client.storefront.orders import Line
from client.storefront.outbox import Outbox
from client.storefront.prices import Prices
from client.storefront.settings import StorefrontSettings
from client.storefront.visits import COOKIE, Visit, Visits


@dataclass
class Shop:
    """Made by `open`, ended by `close`. `per_visit`, `per_address`: what browsers may tell."""

    settings: StorefrontSettings
    catalogue: Catalogue
    words: Words
    filters: dict[str, list[str]]
    visits: Visits
    gateway: GatewayClient
    outbox: Outbox
    prices: Prices
    per_visit: Limiter
    per_address: Limiter
    _sender: asyncio.Task[None] = field(repr=False)

    @classmethod
    def open(cls, settings: StorefrontSettings) -> Shop:
        """Inside a running event loop. Raises `SkynetError` for a catalogue that is broken."""
        sold = catalogue(settings.mode)
        words = WORDS[settings.mode]
        items = list(sold.items.values())
        gateway = GatewayClient(settings)
        outbox = Outbox(settings, gateway.record)
        return cls(
            settings,
            sold,
            words,
            {facet: options(items, facet) for facet in words.filters},
            Visits(settings.sessions, settings.session_idle_s),
            gateway,
            outbox,
            Prices(settings, sold, gateway, outbox),
            Limiter(settings.visit_posts_per_s, settings.sessions),
            Limiter(settings.address_posts_per_s),
            asyncio.create_task(outbox.run()),
        )

    async def close(self) -> None:
        """Send what waits, as far as the gateway takes it."""
        await self.outbox.drain()
        self._sender.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._sender
        await self.gateway.close()

    @property
    def items(self) -> list[Item]:
        """In the catalogue's order."""
        return list(self.catalogue.items.values())

    def visit(self, request: Request) -> Visit:
        """The visit of a request; a new one where its cookie names none."""
        found = self.visits.find(request.cookies.get(COOKIE))
        visit = found or self.visits.open(request.headers.get("user-agent", ""))
        visit.secure |= request.url.scheme == "https"
        return visit

    def known(self, request: Request) -> Visit:
        """The same, for what makes no sense before a page was seen. Raises `no_session`."""
        found = self.visits.find(request.cookies.get(COOKIE))
        if found is None:
            raise SkynetError("no_session", "This visit has ended; load the page again.", 409)
        return found

    def act(
        self,
        visit: Visit,
        action: str,
        item: str = "",
        *,
        dwell_ms: int = 0,
        ago_ms: int = 0,
        event_id: str = "",
        meta: Mapping[str, object] | None = None,
    ) -> None:
        """Record that the visitor did something, `ago_ms` before now; `meta`: facts of the act."""
        entry: dict[str, object] = {
            "event_id": event_id or f"{visit.sid}:{uuid.uuid4().hex}",
            "action": action,
            "ts_ms": time.time_ns() // 1_000_000 - ago_ms,
        }
        if item:
            entry["item"] = item
        if dwell_ms:
            entry["dwell_ms"] = dwell_ms
        if meta:
            entry["meta"] = dict(meta)
        self.outbox.put("events", visit.sid, visit.user_agent, entry)

    async def lines(self, visit: Visit) -> tuple[Line, ...]:
        """The cart at the last prices shown; those too old are asked for anew."""
        items = [self.catalogue.item(name) for name in visit.cart]
        prices = await self.prices.fresh(visit, items)
        return tuple(
            Line(name, count, prices[name].price_micros)
            for name, count in visit.cart.items()
            if name in prices
        )


def shop_of(request: Request) -> Shop:
    """The shop that serves this request."""
    shop: Shop = request.app.state.shop
    return shop
