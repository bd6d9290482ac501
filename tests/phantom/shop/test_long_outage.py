# SPDX-License-Identifier: Apache-2.0
"""A gateway that is away for long: every base price that was shown is told when it is back."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import httpx
import pytest

from bls.limits import LIMITS
from bls.phantom.shop import catalogue
from client.storefront.gateway import Sent
from client.storefront.outbox import Outbox
from tests.phantom.shop.conftest import fast
from tests.phantom.shop.live_shop import LiveShop
from tests.phantom.shop.stub_gateway import StubGateway, poll
from tests.phantom.shop.test_outbox import Receiver, event, run

pytestmark = pytest.mark.spec("PH-05")

AWAY = {"/v1/events": 503, "/v1/prices": 503, "/v1/quotes": 503}
ITEMS = list(catalogue("hotel").items.values())
PAGES = -(-len(ITEMS) // 12)


def price(item: str, micros: int = 1, name: str = "q") -> dict[str, Any]:
    return {"quote_id": name, "item": item, "price_micros": micros, "ts_ms": 1}


def filled(*entries: dict[str, Any], queue: int = 131_072) -> Outbox:
    """What waits after these prices of one session, of a gateway that is away."""
    outbox = Outbox(fast("http://127.0.0.1:9", queue=queue), Receiver())
    for entry in entries:
        outbox.put("prices", "s1", "", entry)
    return outbox


def test_a_long_visit_in_an_outage_loses_no_price(
    shop: LiveShop, gateway: StubGateway, visitor: httpx.Client
) -> None:
    """More prices are shown than a session once had room for: each is told, none is lost."""
    gateway.status = AWAY
    before = visitor.get("/healthz").json()["records"]
    rounds = 1 + 256 // len(ITEMS)
    for _ in range(rounds):
        for page in range(1, PAGES + 1):
            assert visitor.get("/", params={"page": page}).status_code == 200
    told = visitor.get("/healthz").json()["records"]
    assert told["prices_lost"] == before["prices_lost"]
    assert told["repeated"] - before["repeated"] == (rounds - 1) * len(ITEMS)
    gateway.status = {}
    assert poll(lambda: shop.waiting() == 0)
    quotes = [quote for body in gateway.bodies("/v1/prices") for quote in body["quotes"]]
    assert {quote["item"]: quote["price_micros"] for quote in quotes} == {
        item.item: item.base_micros for item in ITEMS
    }
    assert len(quotes) == len(ITEMS), "the same price of an item is told once"


def test_the_same_price_waits_once() -> None:
    outbox = filled(price("a", 1, "q1"), price("b", 1, "q2"), price("a", 1, "q3"))
    assert (outbox.waiting, outbox.repeated, outbox.dropped) == (2, 1, 0)
    (held,) = outbox._held.values()
    assert [entry["quote_id"] for entry in held.entries] == ["q1", "q2"], "the first showing"


def test_another_price_or_session_is_another_record() -> None:
    outbox = filled(price("a", 1), price("a", 2))
    outbox.put("prices", "s2", "", price("a", 1))
    assert (outbox.waiting, outbox.repeated) == (3, 0)


def test_a_price_that_was_told_is_told_anew() -> None:
    receiver = Receiver()

    async def twice(outbox: Outbox) -> None:
        for name in ("q1", "q2"):
            outbox.put("prices", "s1", "", price("a", 1, name))
            while outbox.waiting:
                await asyncio.sleep(0.01)

    outbox = run(receiver, twice)
    assert [body["quotes"][0]["quote_id"] for _, body, _ in receiver.got] == ["q1", "q2"]
    assert (outbox.sent, outbox.repeated) == (2, 0)


def test_acts_leave_half_of_the_queue_to_prices() -> None:
    outbox = Outbox(fast("http://127.0.0.1:9", queue=20, session_queue=2), Receiver())
    for number in range(20):
        outbox.put("events", f"s{number}", "", event(f"e{number}"))
    assert (outbox.waiting, outbox.dropped) == (10, 10)
    assert all(outbox.put("prices", "s1", "", price(f"i{number}")) for number in range(10))
    assert outbox.prices_lost == 0


def test_prices_past_the_queue_are_counted_and_told(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR, "skynet.shop"):
        outbox = filled(*(price(f"i{number}") for number in range(3)), queue=3)
        outbox._lost["prices"] += 1  # one that the gateway refused before
        assert not outbox.put("prices", "s1", "", price("i3"))
        assert not outbox.put("prices", "s2", "", price("a"))
    assert (outbox.waiting, outbox.dropped, outbox.prices_lost) == (3, 3, 3)
    assert len(caplog.records) == 1, "said once, not for every page"


def test_prices_that_the_gateway_refuses_are_counted() -> None:
    async def one(outbox: Outbox) -> None:
        outbox.put("prices", "s1", "", price("a"))
        outbox.put("events", "s1", "", event("e"))

    outbox = run(Receiver(Sent.REFUSED, Sent.REFUSED), one)
    assert (outbox.dropped, outbox.prices_lost) == (2, 1)


def test_prices_that_wait_when_the_shop_stops_are_told(caplog: pytest.LogCaptureFixture) -> None:
    async def one(outbox: Outbox) -> None:
        outbox.put("prices", "s1", "", price("a"))
        outbox.put("events", "s1", "", event("e"))

    with caplog.at_level(logging.WARNING, "skynet.shop"):
        run(Receiver(*[Sent.LATER] * 1_000), one)
    assert "2 records of the shop, 1 of them prices" in caplog.text


def test_a_flood_of_prices_takes_no_memory() -> None:
    """One visitor fills no more than the catalogue has items."""
    shown = [price(item.item, item.base_micros) for item in ITEMS]
    outbox = filled(*(shown * 100))
    assert outbox.waiting == len(ITEMS) <= LIMITS.quotes_per_request
