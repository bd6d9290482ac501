# SPDX-License-Identifier: Apache-2.0
"""Prices of a page: the pricing provider's where it answers in time, else the base price.

Whatever it answers, a price that leaves an item's floor or ceiling is not shown. A price the shop
had to set itself is reported, so the record of quotes has every price that was shown. A session
that asks too often sees its last prices again, or none: a visitor cannot choose the base price.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import httpx

from bls.errors import SkynetError
from bls.phantom.shop import Catalogue, Item
from client.storefront.gateway import GatewayClient
from client.storefront.outbox import Outbox
from client.storefront.settings import StorefrontSettings
from client.storefront.visits import Shown, Visit

BASE = "base"


class Prices:
    """Of one shop. `quoted`, `repeated` and `fell_back` count prices shown."""

    def __init__(
        self,
        settings: StorefrontSettings,
        catalogue: Catalogue,
        gateway: GatewayClient,
        outbox: Outbox,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings, self._catalogue = settings, catalogue
        self._gateway, self._outbox, self._clock = gateway, outbox, clock
        self._ask_again_at = 0.0
        self.quoted = 0
        self.repeated = 0
        self.fell_back = 0

    async def quote(self, visit: Visit, items: Iterable[Item]) -> dict[str, Shown]:
        """A price for each item, asked for in one request and kept in `visit.shown`.

        Raises `rate_limited`, `session_full` (429) where none is to be had and none to repeat.
        """
        wanted = list(items)
        if not wanted:
            return {}
        try:
            told = await self._ask(visit, wanted)
        except SkynetError:
            if any(item.item not in visit.shown for item in wanted):
                raise
            self.repeated += len(wanted)
            return {item.item: visit.shown[item.item] for item in wanted}
        shown = {item.item: self._shown(visit, item, told.get(item.item)) for item in wanted}
        visit.shown |= shown
        return shown

    async def fresh(self, visit: Visit, items: Iterable[Item]) -> dict[str, Shown]:
        """The last price of each item; only those too old, or never shown, are asked for.

        Raises as `quote`.
        """
        wanted = list(items)
        oldest = self._clock() - self._settings.quote_max_age_s
        stale = [
            item
            for item in wanted
            if item.item not in visit.shown or visit.shown[item.item].at < oldest
        ]
        await self.quote(visit, stale)
        return {item.item: visit.shown[item.item] for item in wanted}

    async def _ask(self, visit: Visit, items: list[Item]) -> Mapping[str, Any]:
        """Item -> the provider's quote, unchecked; empty when it is away, late or makes no sense.

        One that was late is left alone for a moment, so that pages do not all wait for it. Raises
        `rate_limited`, `session_full`: the provider is there, and will not answer this session.
        """
        if self._clock() < self._ask_again_at:
            return {}
        body = {
            "session_id": visit.sid,
            "mode": self._settings.mode,
            "items": [item.item for item in items],
        }
        try:
            answer = await self._gateway.quotes(body, visit.user_agent)
            if answer["currency"] != self._catalogue.currency:
                return {}
            return {str(quote["item"]): quote for quote in answer["quotes"]}
        except (TimeoutError, httpx.NetworkError):
            self._ask_again_at = self._clock() + self._settings.quote_pause_s
        except (httpx.HTTPError, ValueError, KeyError, TypeError):
            pass
        return {}

    def _shown(self, visit: Visit, item: Item, quote: Any) -> Shown:
        price = quote.get("price_micros") if isinstance(quote, dict) else None
        if type(price) is int and item.floor_micros <= price <= item.ceiling_micros:
            self.quoted += 1
            policy = str(quote.get("policy", ""))[:64]
            return Shown(price, item.base_micros, policy, self._clock())
        self.fell_back += 1
        entry = {
            "quote_id": f"q-{uuid.uuid4().hex}",
            "item": item.item,
            "price_micros": item.base_micros,
            "ts_ms": time.time_ns() // 1_000_000,
        }
        self._outbox.put("prices", visit.sid, visit.user_agent, entry)
        return Shown(item.base_micros, item.base_micros, BASE, self._clock())
