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
from client.storefront.gateway import Fault, Sent
from client.storefront.outbox import Outbox
from tests.phantom.shop.conftest import fast
from tests.phantom.shop.live_shop import LiveShop
from tests.phantom.shop.stub_gateway import StubGateway, poll
from tests.phantom.shop.test_outbox import Receiver, event, run

pytestmark = pytest.mark.spec("PH-05")

AWAY = {"/v1/events": 503, "/v1/prices": 503, "/v1/quotes": 503}
ITEMS = list(catalogue("hotel").items.values())
PAGES = -(-len(ITEMS) // 12)


def price(item: str, micros: int = 1, name: str = "q", ts_ms: int = 1) -> dict[str, Any]:
    return {"quote_id": name, "item": item, "price_micros": micros, "ts_ms": ts_ms}


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
    repeated = before["repeated"] + (rounds - 1) * len(ITEMS)
    assert poll(lambda: visitor.get("/healthz").json()["records"]["repeated"] == repeated)
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
    assert [entry["quote_id"] for entry in held.entries] == ["q2", "q3"], "the latest showing"


def test_what_the_visitor_saw_last_is_told_last() -> None:
    outbox = filled(price("a", 1, ts_ms=1), price("a", 2, ts_ms=2), price("a", 1, ts_ms=3))
    (held,) = outbox._held.values()
    told = [(entry["price_micros"], entry["ts_ms"]) for entry in held.entries]
    assert told == [(2, 2), (1, 3)]


class Mouthful(Receiver):
    """While the first request is under way, two other prices are shown and the first twice more."""

    outbox: Outbox

    async def __call__(self, path: str, body: dict[str, Any], user_agent: str) -> Sent | Fault:
        if not self.got:
            for entry in (
                price("a", 2, "q2", ts_ms=2),
                price("a", 1, "q3", ts_ms=3),
                price("b", 1, "q4", ts_ms=4),
                price("a", 1, "q5", ts_ms=5),
            ):
                self.outbox.put("prices", "s1", "", entry)
        return await super().__call__(path, body, user_agent)


@pytest.mark.parametrize(
    ("answer", "sent", "repeated", "dropped"),
    [
        (Sent.DONE, [["q1", "q0"], ["q2", "q4", "q5"]], 1, 0),
        (Sent.LATER, [["q1", "q0"], ["q0", "q2", "q4", "q5"]], 2, 0),
        (Sent.BUSY, [["q1", "q0"], ["q0", "q2", "q4", "q5"]], 2, 0),
        (Sent.REFUSED, [["q1", "q0"], ["q2", "q4", "q5"]], 1, 2),
        (Fault(0), [["q1", "q0"], ["q0", "q2", "q4", "q5"]], 1, 1),
        (Fault(1), [["q1", "q0"], ["q2", "q4", "q5"]], 2, 1),
    ],
)
def test_a_price_shown_again_while_it_is_under_way(
    answer: Sent | Fault, sent: list[list[str]], repeated: int, dropped: int
) -> None:
    """What is under way may be taken as it was shown then: the new showing is told as well."""
    receiver = Mouthful(answer)

    async def show(outbox: Outbox) -> None:
        receiver.outbox = outbox
        outbox.put("prices", "s1", "", price("a", 1, "q1"))
        outbox.put("prices", "s1", "", price("c", 1, "q0"))

    outbox = run(receiver, show)
    assert [[quote["quote_id"] for quote in body["quotes"]] for _, body, _ in receiver.got] == sent
    assert (outbox.repeated, outbox.dropped, outbox.waiting) == (repeated, dropped, 0)


def test_a_price_that_was_not_taken_is_told_as_shown_last() -> None:
    """An id is of one showing: what the gateway may have taken never comes with another time."""
    receiver = Receiver(Sent.LATER)

    async def twice(outbox: Outbox) -> None:
        outbox.put("prices", "s1", "", price("a", 1, "q1", ts_ms=1))
        while not receiver.got:
            await asyncio.sleep(0.001)
        outbox.put("prices", "s1", "", price("a", 1, "q2", ts_ms=2))

    outbox = run(receiver, twice, retry_s=0.2)
    told = [
        (one["quote_id"], one["ts_ms"]) for _, body, _ in receiver.got for one in body["quotes"]
    ]
    assert told == [("q1", 1), ("q2", 2)]
    assert (outbox.sent, outbox.repeated, outbox.waiting) == (1, 1, 0)


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


def test_prices_leave_room_for_the_acts_of_others() -> None:
    """An outage's prices fill no more than 7/8: a purchase is still told."""
    outbox = filled(*(price(f"i{number}") for number in range(9)), queue=8)
    assert (outbox.waiting, outbox.prices_lost) == (7, 2)
    assert outbox.put("events", "buyer", "", event("purchase"))
    assert not outbox.put("events", "other", "", event("late")), "the queue is full"
    assert (outbox.waiting, outbox.dropped) == (8, 3)


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
