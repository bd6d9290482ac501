# SPDX-License-Identifier: Apache-2.0
"""The shop without scripts: looked through, bought from, and open while the gateway is away."""

from __future__ import annotations

import re

import httpx
import pytest

from tests.phantom.shop.conftest import KEY, fast
from tests.phantom.shop.live_shop import (
    AGENT,
    BASE,
    OTHER,
    ROOM,
    SOLD,
    LiveShop,
    add,
    offer,
    prices,
    total,
)
from tests.phantom.shop.stub_gateway import StubGateway, at, poll


@pytest.mark.spec("PH-06")
def test_from_the_front_page_to_the_order(visitor: httpx.Client, gateway: StubGateway) -> None:
    gateway.quote = at(1.05)
    front = visitor.get("/")
    assert len(prices(front.text)) == 12
    found = visitor.get("/", params={"q": "ghent", "sort": "price", "max_price": "120"})
    shown = list(prices(found.text).values())
    assert shown == sorted(shown) and ROOM in prices(found.text)
    page = visitor.get(f"/item/{ROOM}")
    price = prices(page.text)[ROOM]
    assert price > BASE and SOLD.item(ROOM).text in page.text
    assert visitor.get(f"/item/{ROOM}?more=1").text.count("Conditions") == 1
    cart = add(visitor)
    add(visitor)
    add(visitor, OTHER)
    removed = visitor.post("/cart/remove", data={"item": OTHER})
    assert str(cart.url).endswith("/cart") and list(prices(removed.text)) == [ROOM]
    checkout = visitor.get("/checkout")
    assert total(checkout.text) == 2 * price
    done = visitor.post("/checkout", data={"offer": offer(checkout.text)})
    assert done.url.path == "/thanks" and total(done.text) == 2 * price
    assert "Cart (0)" in done.text and 'id="changed"' not in checkout.text
    expected = [
        "page_view", "search", "filter_price", "sort", "view_item", "learn_more",
        "add_item", "page_view", "add_item", "page_view", "add_item", "page_view",
        "remove", "page_view", "checkout", "purchase", "page_view",
    ]  # fmt: skip
    assert poll(lambda: len(gateway.events()) == len(expected))
    assert gateway.actions() == expected
    assert all(event["item"] == ROOM for event in gateway.events() if event["action"] == "purchase")


@pytest.mark.spec("PH-05")
def test_what_the_gateway_is_told(visitor: httpx.Client, gateway: StubGateway) -> None:
    visitor.get("/", params={"date": "2027-07-01", "q": "very private words"})
    assert poll(lambda: len(gateway.events()) == 2)
    sid = visitor.cookies["skynet_shop"].partition(".")[0]
    for path, body, headers in gateway.posted:
        assert body["session_id"] == sid and body["mode"] == "hotel", path
        assert headers["user-agent"] == AGENT and headers["authorization"] == f"Bearer {KEY}"
        assert "private" not in str(body) and visitor.cookies["skynet_shop"] not in str(body)
    search, day = gateway.events()
    assert (search["action"], day["action"]) == ("search", "filter_date")
    assert day["meta"] == {"start": "2027-07-01"} and "meta" not in search


def test_one_request_of_prices_a_page(visitor: httpx.Client, gateway: StubGateway) -> None:
    shown = prices(visitor.get("/", params={"city": "Porto"}).text)
    (asked,) = gateway.bodies("/v1/quotes")
    assert list(shown) == asked["items"] and len(shown) == 6


@pytest.mark.spec("PH-04")
@pytest.mark.parametrize(("status", "wait"), [(429, "1"), (409, "1800")])
def test_a_page_that_was_never_priced_is_refused_to_a_busy_session(
    visitor: httpx.Client, gateway: StubGateway, status: int, wait: str
) -> None:
    gateway.quote = at(1.1)
    seen = prices(visitor.get(f"/item/{ROOM}").text)
    gateway.status = {"/v1/quotes": status}
    assert prices(visitor.get(f"/item/{ROOM}").text) == seen
    refused = visitor.get(f"/item/{OTHER}")
    assert (refused.status_code, refused.headers["retry-after"]) == (429, wait)
    assert "Back to the shop" in refused.text and not prices(refused.text)
    assert total(add(visitor).text) == seen[ROOM], "the cart goes on"


def test_every_page_of_the_catalogue_once(visitor: httpx.Client) -> None:
    seen: list[str] = []
    page = visitor.get("/").text
    while True:
        seen += prices(page)
        following = re.search(r'href="(/\?[^"]+)" rel="next"', page)
        if following is None:
            break
        page = visitor.get(following[1].replace("&amp;", "&")).text
    assert sorted(seen) == sorted(SOLD.items)
    assert "page 6 of 6" in visitor.get("/", params={"page": "999"}).text


def test_a_price_that_has_just_passed_the_limit_says_so(
    visitor: httpx.Client, gateway: StubGateway
) -> None:
    gateway.quote = at(1.2)
    most = str(BASE / 1e6 + 1)
    page = visitor.get("/", params={"q": "bookbinder", "max_price": most}).text
    assert "now above your limit" in page
    assert "0 offers" in visitor.get("/", params={"q": "bookbinder", "max_price": most}).text


@pytest.mark.spec("PH-04")
def test_the_shop_sells_while_the_gateway_is_away() -> None:
    with LiveShop(fast("http://127.0.0.1:9")) as shop, shop.client() as visitor:
        assert (
            prices(visitor.get("/").text).items()
            <= {name: item.base_micros for name, item in SOLD.items.items()}.items()
        )
        add(visitor)
        checkout = visitor.get("/checkout")
        done = visitor.post("/checkout", data={"offer": offer(checkout.text)})
        assert total(done.text) == BASE
        told = visitor.get("/healthz").json()
        assert told["quotes"]["provider"] == 0 and told["records"]["waiting"] > 0


@pytest.mark.spec("PH-04")
def test_records_reach_a_gateway_that_comes_back(
    visitor: httpx.Client, gateway: StubGateway
) -> None:
    gateway.status = {"/v1/events": 503, "/v1/prices": 503, "/v1/quotes": 503}
    visitor.get(f"/item/{ROOM}")
    assert not gateway.posted
    gateway.status = {}
    assert poll(lambda: gateway.bodies("/v1/prices") and gateway.actions() == ["view_item"])
    (report,) = gateway.bodies("/v1/prices")
    (quote,) = report["quotes"]
    assert (quote["item"], quote["price_micros"]) == (ROOM, BASE)


@pytest.mark.spec("PH-04")
def test_health(shop: LiveShop) -> None:
    with shop.client() as visitor:
        told = visitor.get("/healthz")
    assert told.json()["status"] == "ok" and told.json()["mode"] == "hotel"
    assert "set-cookie" not in told.headers


def test_records_that_find_the_queue_full_are_counted() -> None:
    with LiveShop(fast("http://127.0.0.1:9", queue=3)) as shop, shop.client() as visitor:
        assert all(visitor.get("/").status_code == 200 for _ in range(3))
        told = visitor.get("/healthz").json()["records"]
    assert told["waiting"] == 3 and told["dropped"] > 0
