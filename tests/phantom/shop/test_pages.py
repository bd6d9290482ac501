# SPDX-License-Identifier: Apache-2.0
"""The shop without scripts: looked through, bought from, and pushed about."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from bls.phantom.shop import catalogue
from tests.phantom.shop.conftest import KEY, fast
from tests.phantom.shop.live_shop import AGENT, OTHER, ROOM, LiveShop, offer, prices, total
from tests.phantom.shop.stub_gateway import StubGateway, at, poll

SOLD = catalogue("hotel")
BASE = SOLD.item(ROOM).base_micros


def add(visitor: httpx.Client, item: str = ROOM) -> httpx.Response:
    return visitor.post("/cart/add", data={"item": item})


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


def test_a_price_in_a_form_is_nothing(visitor: httpx.Client) -> None:
    visitor.post("/cart/add", data={"item": ROOM, "price_micros": "1", "price": "0.01"})
    checkout = visitor.get("/checkout")
    told = {"offer": offer(checkout.text), "price_micros": "1", "total_micros": "1"}
    assert total(visitor.post("/checkout", data=told).text) == BASE


def test_a_price_that_moved_is_shown_before_it_is_paid(
    visitor: httpx.Client, gateway: StubGateway
) -> None:
    """Another tab was quoted another price after the checkout was shown."""
    add(visitor)
    checkout = visitor.get("/checkout")
    gateway.quote = at(1.1)
    visitor.get(f"/item/{ROOM}")
    again = visitor.post("/checkout", data={"offer": offer(checkout.text)})
    assert again.url.path == "/checkout" and 'id="changed"' in again.text
    assert total(again.text) > BASE and "was" in again.text
    done = visitor.post("/checkout", data={"offer": offer(again.text)})
    assert done.url.path == "/thanks" and total(done.text) == total(again.text)


def test_an_old_price_is_asked_for_anew(gateway: StubGateway) -> None:
    with LiveShop(fast(gateway.url, quote_max_age_s=0.0)) as shop, shop.client() as visitor:
        add(visitor)
        checkout = visitor.get("/checkout")
        gateway.quote = at(0.9)
        again = visitor.post("/checkout", data={"offer": offer(checkout.text)})
        assert 'id="changed"' not in checkout.text and 'id="changed"' in again.text
        assert total(again.text) < BASE
        done = visitor.post("/checkout", data={"offer": offer(again.text)})
        assert done.url.path == "/thanks" and total(done.text) == total(again.text)


def test_buying_twice_is_one_order(visitor: httpx.Client, gateway: StubGateway) -> None:
    add(visitor)
    taken = {"offer": offer(visitor.get("/checkout").text)}
    first, second = (visitor.post("/checkout", data=taken) for _ in range(2))
    assert first.url == second.url and first.url.path == "/thanks"
    assert poll(lambda: gateway.actions()[-2:] == ["page_view", "page_view"])
    assert gateway.actions().count("purchase") == 1


def test_no_offer_no_order(visitor: httpx.Client) -> None:
    assert visitor.get("/checkout").url.path == "/cart", "nothing to buy"
    add(visitor)
    assert visitor.post("/checkout", data={"offer": "made-up"}).url.path == "/checkout"
    assert visitor.post("/checkout").status_code == 415
    stranger = offer(visitor.get("/checkout").text)
    with httpx.Client(base_url=str(visitor.base_url), follow_redirects=True) as other:
        assert other.post("/checkout", data={"offer": stranger}).url.path == "/cart"
        assert other.get(f"/thanks?order={stranger}").status_code == 404


def test_a_full_cart_says_so(visitor: httpx.Client) -> None:
    for _ in range(9):
        add(visitor)
    assert "holds no more" in add(visitor).text


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


@pytest.mark.spec("PH-03")
def test_every_answer_has_its_security_headers(visitor: httpx.Client) -> None:
    for path in ("/", "/nope", "/item/nope", "/static/shop.css", "/healthz", "/thanks"):
        headers = visitor.get(path).headers
        policy = headers["content-security-policy"]
        assert policy.startswith("default-src 'none'") and "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
    cookie = visitor.get("/", headers={"cookie": ""}).headers["set-cookie"]
    assert "HttpOnly" in cookie and "SameSite=lax" in cookie and "Secure" not in cookie


@pytest.mark.spec("PH-03")
def test_behind_tls_the_cookie_is_for_tls_alone(shop: LiveShop) -> None:
    over_tls = {"x-forwarded-proto": "https"}
    front = httpx.get(shop.url, headers=over_tls)
    assert "; Secure" in front.headers["set-cookie"]
    cookie = front.headers["set-cookie"].partition(";")[0]
    told = over_tls | {"cookie": cookie}
    added = httpx.post(f"{shop.url}/cart/add", data={"item": ROOM}, headers=told)
    assert added.status_code == 303 and "; Secure" in added.headers["set-cookie"]
    assert added.headers["set-cookie"].startswith(cookie)


def test_pages_hold_no_script_no_style_and_no_key(visitor: httpx.Client) -> None:
    add(visitor)
    for path in ("/", f"/item/{ROOM}", "/cart", "/checkout", "/nope"):
        page = visitor.get(path).text
        assert KEY not in page and "style=" not in page
        assert not re.search(r"<script(?![^>]*\ssrc=)|\son\w+=", page)
    assert visitor.get("/static/../app.py").status_code == 404


def test_scripts_load_only_scripts_that_are_served(visitor: httpx.Client) -> None:
    page = visitor.get("/").text
    waiting, seen = re.findall(r'<script[^>]*\ssrc="([^"]+)"', page), set[str]()
    while waiting:
        path = waiting.pop()
        answer = visitor.get(path)
        assert answer.status_code == 200, path
        assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
        seen.add(path)
        waiting += set(re.findall(r'from "([^"]+)"', answer.text)) - seen
    assert seen >= {"/static/chat.js", "/static/stream.js", "/static/events.js"}


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:1"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
def test_other_sites_can_post_nothing(visitor: httpx.Client, headers: dict[str, str]) -> None:
    visitor.get("/")
    for path in ("/cart/add", "/cart/remove", "/checkout", "/events", "/chat"):
        answer = visitor.post(path, data={"item": ROOM}, headers=headers)
        assert answer.status_code == 403, path
    assert "Cart (0)" in visitor.get("/cart").text


def test_our_own_pages_can(visitor: httpx.Client, shop: LiveShop) -> None:
    headers = {"origin": shop.url, "sec-fetch-site": "same-origin"}
    answer = visitor.post("/cart/add", data={"item": ROOM}, headers=headers)
    assert "Cart (1)" in answer.text


FORM = {"content-type": "application/x-www-form-urlencoded"}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"item=" + b"a" * 5_000, 413),
        (b"item=\xff\xfe", 400),
        (b"&".join(b"a%d=1" % n for n in range(40)), 400),
        (b"item=nope", 404),
        (b"", 404),
        (b"item=" + ROOM.encode() + b"\0", 404),
    ],
)
def test_bad_forms(visitor: httpx.Client, body: bytes, status: int) -> None:
    answer = visitor.post("/cart/add", content=body, headers=FORM)
    assert answer.status_code == status
    assert "Back to the shop" in answer.text and "Traceback" not in answer.text


@pytest.mark.parametrize("cookie", ["nonsense", "shop-00.x", "a" * 3_000])
def test_a_cookie_that_means_nothing_begins_a_visit(shop: LiveShop, cookie: str) -> None:
    answer = httpx.get(shop.url, headers={"cookie": f"skynet_shop={cookie}"})
    assert answer.status_code == 200 and "skynet_shop=shop-" in answer.headers["set-cookie"]


def test_what_is_searched_for_is_escaped(visitor: httpx.Client) -> None:
    page = visitor.get("/", params={"q": '"><script>alert(1)</script>'}).text
    assert "<script>alert" not in page and "&lt;script&gt;" in page


def test_unusual_user_agents_are_passed_on(shop: LiveShop, gateway: StubGateway) -> None:
    for agent in (b"", b"caf\xe9/1", b"x" * 3_000):
        assert httpx.get(shop.url, headers=[(b"user-agent", agent)]).status_code == 200
    assert poll(lambda: len(gateway.events()) == 3)


def tracked(**change: Any) -> dict[str, Any]:
    return {
        "event_id": "abcdef12-1",
        "action": "hover_title",
        "item": ROOM,
        "dwell_ms": 900,
        "ago_ms": 100,
    } | change


@pytest.mark.spec("PH-05")
def test_hovering_is_recorded_once(visitor: httpx.Client, gateway: StubGateway) -> None:
    visitor.get("/")
    for _ in range(2):  # a page that heard no answer sends again
        assert visitor.post("/events", json={"events": [tracked()]}).status_code == 204
    assert poll(lambda: "hover_title" in gateway.actions())
    visitor.get("/cart")
    assert poll(lambda: len(gateway.actions()) == 3)
    _, hover, _ = gateway.events()
    sid = visitor.cookies["skynet_shop"].partition(".")[0]
    assert hover["event_id"] == f"{sid}:abcdef12-1"
    assert (hover["item"], hover["dwell_ms"]) == (ROOM, 900)


SPOILERS: list[Callable[[], Any]] = [
    lambda: {"events": []},
    lambda: {"events": "hover"},
    lambda: {"events": [tracked()] * 33},
    lambda: {"events": [tracked(action="purchase")]},
    lambda: {"events": [tracked(dwell_ms=-1)]},
    lambda: {"events": [tracked(dwell_ms=1e12)]},
    lambda: {"events": [tracked(event_id="x")]},
    lambda: {"events": [tracked(agent_probability=0.0)]},
    lambda: {"events": [tracked()], "session_id": "shop-of-another"},
    lambda: {},
]


@pytest.mark.parametrize("spoiler", SPOILERS)
def test_bad_tracking_is_refused_whole(
    visitor: httpx.Client, gateway: StubGateway, spoiler: Callable[[], Any]
) -> None:
    visitor.get("/")
    answer = visitor.post("/events", json=spoiler())
    assert answer.status_code == 400 and answer.json()["error"]["code"]
    assert poll(lambda: gateway.actions() == ["page_view"])


def test_tracking_has_limits(visitor: httpx.Client) -> None:
    assert visitor.post("/events", json={"events": [tracked()]}).status_code == 409, "no visit"
    visitor.get("/")
    unknown = {"events": [tracked(item="atlantis")]}
    assert visitor.post("/events", json=unknown).status_code == 404
    long = {"events": [tracked()], "more": "x" * 20_000}
    assert visitor.post("/events", json=long).status_code == 413
    assert visitor.post("/events", content=b"{}").status_code == 415
    assert visitor.get("/events").status_code == 405


def test_records_that_find_the_queue_full_are_counted() -> None:
    with LiveShop(fast("http://127.0.0.1:9", queue=3)) as shop, shop.client() as visitor:
        assert all(visitor.get("/").status_code == 200 for _ in range(3))
        told = visitor.get("/healthz").json()["records"]
    assert told["waiting"] == 3 and told["dropped"] > 0
