# SPDX-License-Identifier: Apache-2.0
"""Prices of a page: the provider's, or the base price; never past a bound."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.responses import Response

from bls.errors import SkynetError
from bls.phantom.shop import Item, catalogue
from client.storefront.gateway import GatewayClient, Sent
from client.storefront.outbox import Outbox
from client.storefront.prices import Prices
from client.storefront.render import money
from client.storefront.visits import Visit, Visits
from tests.phantom.shop.conftest import fast
from tests.phantom.shop.stub_gateway import StubGateway, at

SOLD = catalogue("hotel")
ROOMS = list(SOLD.items.values())[:3]
ROOM = ROOMS[0]


class Clock:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


class Desk:
    """Prices in front of a gateway, with what they leave to report."""

    def __init__(self, url: str, **more: object) -> None:
        settings = fast(url, **more)
        self.clock = Clock()
        self.client = GatewayClient(settings)
        self.outbox = Outbox(settings, self._send)
        self.reports: list[dict[str, Any]] = []
        self.prices = Prices(settings, SOLD, self.client, self.outbox, self.clock)
        self.visit = Visits(1, 60.0).open("agent")

    async def _send(self, path: str, body: dict[str, Any], user_agent: str) -> Sent:
        return Sent.DONE

    def reported(self) -> list[int]:
        held = [one for waiting in self.outbox._held.values() for one in waiting.entries]
        return [entry["price_micros"] for entry in held]


def with_desk(url: str, use: Callable[[Desk], Awaitable[None]], **more: object) -> None:
    """Run `use` in an event loop of its own."""

    async def main() -> None:
        desk = Desk(url, **more)
        try:
            await use(desk)
        finally:
            await desk.client.close()

    asyncio.run(main())


def shown(visit: Visit, item: Item) -> int:
    return visit.shown[item.item].price_micros


def test_the_providers_price_is_shown_and_not_reported_again(gateway: StubGateway) -> None:
    gateway.quote = at(1.1)

    async def use(desk: Desk) -> None:
        prices = await desk.prices.quote(desk.visit, ROOMS)
        assert [prices[room.item].policy for room in ROOMS] == ["session_price"] * 3
        assert all(shown(desk.visit, room) > room.base_micros for room in ROOMS)
        assert desk.outbox.waiting == 0 and desk.prices.quoted == 3
        assert await desk.prices.quote(desk.visit, []) == {}

    with_desk(gateway.url, use)
    (asked,) = gateway.bodies("/v1/quotes")
    assert asked["items"] == [room.item for room in ROOMS] and asked["mode"] == "hotel"


def _spoilt(change: dict[str, Any]) -> Callable[[dict[str, Any]], dict[str, Any]]:
    def quote(body: dict[str, Any]) -> dict[str, Any]:
        told = at(1.0)(body)
        told["quotes"][0] |= change
        return told

    return quote


@pytest.mark.spec("PH-04")
@pytest.mark.parametrize(
    "price",
    [0, -1, ROOM.floor_micros - 1, ROOM.ceiling_micros + 1, True, "96000000", 9.6e7, None, [1]],
)
def test_one_bad_price_becomes_the_base_price_alone(gateway: StubGateway, price: object) -> None:
    gateway.quote = _spoilt({"price_micros": price})

    async def use(desk: Desk) -> None:
        prices = await desk.prices.quote(desk.visit, ROOMS)
        assert (prices[ROOM.item].price_micros, prices[ROOM.item].policy) == (
            ROOM.base_micros,
            "base",
        )
        assert prices[ROOMS[1].item].policy == "session_price"
        assert desk.reported() == [ROOM.base_micros]

    with_desk(gateway.url, use)


@pytest.mark.spec("PH-04")
@pytest.mark.parametrize(
    "answer",
    [
        Response("no json"),
        Response("[]", media_type="application/json"),
        Response("null"),
        Response('{"currency": "USD", "quotes": []}'),
        Response('{"currency": "EUR", "quotes": [1, 2]}'),
        Response('{"currency": "EUR", "quotes": [{}]}'),
        Response('{"currency": "EUR"}'),
        Response(status_code=500),
        Response(status_code=401),
    ],
)
def test_an_answer_without_sense_becomes_base_prices(
    gateway: StubGateway, answer: Response
) -> None:
    gateway.quote = lambda body: answer

    async def use(desk: Desk) -> None:
        await desk.prices.quote(desk.visit, ROOMS)
        assert desk.reported() == [room.base_micros for room in ROOMS]
        assert desk.prices.fell_back == 3

    with_desk(gateway.url, use)


@pytest.mark.spec("PH-04")
def test_a_late_provider_is_not_waited_for_and_then_left_alone(gateway: StubGateway) -> None:
    gateway.delay_s = 5.0

    async def use(desk: Desk) -> None:
        await desk.prices.quote(desk.visit, [ROOM])
        await desk.prices.quote(desk.visit, [ROOM])
        assert shown(desk.visit, ROOM) == ROOM.base_micros
        assert len(gateway.bodies("/v1/quotes")) == 1
        gateway.delay_s, gateway.quote = 0.0, at(1.1)
        desk.clock.now += 60.0
        await desk.prices.quote(desk.visit, [ROOM])
        assert shown(desk.visit, ROOM) > ROOM.base_micros

    with_desk(gateway.url, use, quote_timeout_s=0.1, quote_pause_s=30.0)


@pytest.mark.spec("PH-04")
@pytest.mark.parametrize(("status", "code"), [(429, "rate_limited"), (409, "session_full")])
def test_asking_too_often_does_not_choose_the_base_price(
    gateway: StubGateway, status: int, code: str
) -> None:
    gateway.quote = at(1.1)

    async def use(desk: Desk) -> None:
        before = await desk.prices.quote(desk.visit, ROOMS[:2])
        gateway.status = {"/v1/quotes": status}
        assert await desk.prices.quote(desk.visit, ROOMS[:2]) == before
        desk.clock.now += 901.0
        assert await desk.prices.fresh(desk.visit, ROOMS[:2]) == before, "old, but recorded"
        with pytest.raises(SkynetError) as refused:
            await desk.prices.quote(desk.visit, ROOMS)
        assert (refused.value.code, refused.value.status) == (code, 429)
        assert ROOMS[2].item not in desk.visit.shown
        assert (desk.prices.quoted, desk.prices.repeated, desk.prices.fell_back) == (2, 4, 0)
        assert desk.outbox.waiting == 0
        gateway.status = {}
        assert len(await desk.prices.quote(desk.visit, ROOMS)) == 3, "the next page is served"

    with_desk(gateway.url, use)


def test_nobody_at_the_address() -> None:
    async def use(desk: Desk) -> None:
        await desk.prices.quote(desk.visit, ROOMS)
        assert desk.reported() == [room.base_micros for room in ROOMS]

    with_desk("http://127.0.0.1:9", use)


def test_only_old_prices_are_asked_for_anew(gateway: StubGateway) -> None:
    async def use(desk: Desk) -> None:
        await desk.prices.quote(desk.visit, ROOMS[:2])
        gateway.quote = at(1.1)
        assert (await desk.prices.fresh(desk.visit, ROOMS[:2]))[ROOM.item].price_micros == (
            ROOM.base_micros
        )
        assert len(gateway.bodies("/v1/quotes")) == 1
        desk.clock.now += 901.0
        again = await desk.prices.fresh(desk.visit, ROOMS)
        assert again[ROOM.item].price_micros > ROOM.base_micros and len(again) == 3

    with_desk(gateway.url, use)


@pytest.mark.spec("PH-06")
@given(st.one_of(st.integers(), st.floats(), st.booleans(), st.text(), st.none()))
def test_no_answer_takes_a_price_past_its_bounds(price: object) -> None:
    """Fuzzed at the one place where an answer becomes a price."""
    settings = fast("http://127.0.0.1:9")

    class Box:
        def put(self, *_: object) -> bool:
            return True

    prices = Prices(settings, SOLD, None, Box())  # type: ignore[arg-type]
    found = prices._shown(Visits(1, 60.0).open(""), ROOM, {"price_micros": price})
    assert type(found.price_micros) is int
    assert ROOM.floor_micros <= found.price_micros <= ROOM.ceiling_micros


def test_money_is_exact() -> None:
    assert money(96_000_000, "EUR") == "€96.00"
    assert money(1_234_567_890_000, "EUR") == "€1,234,567.89"
    assert money(96_123_456, "EUR") == "€96.123456"
    assert money(500_000, "CHF") == "0.50 CHF"


def test_the_key_is_in_no_representation() -> None:
    settings = fast("http://127.0.0.1:9")
    assert settings.api_key and settings.api_key not in repr(settings)
    assert isinstance(GatewayClient(settings)._http, httpx.AsyncClient)
