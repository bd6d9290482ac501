# SPDX-License-Identifier: Apache-2.0
"""What the recorder hears: acts and prices, alone and in front of a gateway that answers."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from bls.phantom.session import Quote, Session, SessionEvent
from tests.phantom.listener import Listener
from tests.phantom.record import differs
from tests.phantom.shop.stub_gateway import StubGateway, at_base

SID = "shop-1"
HOTEL = "lis-sao-bento"
ASKED = {"session_id": SID, "mode": "hotel", "items": [HOTEL]}
TOLD = {
    "session_id": SID,
    "mode": "hotel",
    "events": [{"event_id": "a", "action": "page_view"}],
}


@pytest.fixture
def gateway() -> Iterator[StubGateway]:
    with StubGateway(quote=lambda body: at_base(body) | {"quotes": [_quote(59_000_000)]}) as stub:
        yield stub


def _quote(price: int) -> dict[str, object]:
    return {"item": HOTEL, "price_micros": price, "policy": "session_price"}


def heard(listener: Listener, path: str, body: dict[str, object]) -> httpx.Response:
    return httpx.post(listener.url + path, json=body, headers={"user-agent": "Somebody/1"})


def session(price: int, *actions: str) -> Session:
    events = tuple(SessionEvent(action, "", 0, 0) for action in actions)
    return Session(SID, "hotel", 0, events, (Quote(HOTEL, price, 0),), origin="stealthy")


def test_alone_it_takes_records_and_knows_no_price() -> None:
    listener = Listener()
    for _ in range(2):
        assert heard(listener, "/v1/events", TOLD).status_code == 200
    assert heard(listener, "/v1/quotes", ASKED).status_code == 404
    set_by_shop = {"session_id": SID, "mode": "hotel", "quotes": [_quote(68_000_000)]}
    assert heard(listener, "/v1/prices", set_by_shop).status_code == 200
    listener.server.shutdown()
    assert listener.told == {SID: {"a": "page_view"}}
    assert listener.priced == {SID: {(HOTEL, 68_000_000)}}


def test_in_front_of_a_gateway_it_passes_both_ways(gateway: StubGateway) -> None:
    listener = Listener(gateway.url)
    answer = heard(listener, "/v1/quotes", ASKED)
    heard(listener, "/v1/events", TOLD)
    gateway.status = {"/v1/events": 429}
    refused = heard(listener, "/v1/events", TOLD)
    listener.server.shutdown()
    assert answer.json()["quotes"][0]["price_micros"] == 59_000_000
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "told_so")
    assert [body for _, body, _ in gateway.posted] == [ASKED, TOLD]
    assert {headers["user-agent"] for _, _, headers in gateway.posted} == {"Somebody/1"}
    assert listener.priced == {SID: {(HOTEL, 59_000_000)}}
    assert listener.told == {SID: {"a": "page_view"}}
    assert listener.away == 0


def test_a_gateway_that_is_away_is_counted() -> None:
    listener = Listener("http://127.0.0.1:9")
    assert heard(listener, "/v1/events", TOLD).status_code == 502
    listener.server.shutdown()
    assert listener.away == 1


@pytest.mark.parametrize(
    ("read", "wrong"),
    [
        (session(68_000_000, "page_view"), False),
        (session(68_000_000, "page_view", "sort"), True),
        (session(68_000_000), True),
        (session(67_000_000, "page_view"), True),
    ],
)
def test_acts_and_prices_are_held_against_it(read: Session, wrong: bool) -> None:
    listener = Listener()
    listener.server.shutdown()
    listener.told[SID] = {"a": "page_view"}
    listener.priced[SID] = {(HOTEL, 68_000_000)}
    assert differs(read, listener) is wrong
