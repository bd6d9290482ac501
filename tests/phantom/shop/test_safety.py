# SPDX-License-Identifier: Apache-2.0
"""The shop pushed about: headers, other sites, forms and cookies that mean nothing."""

from __future__ import annotations

import re

import httpx
import pytest

from tests.phantom.shop.conftest import KEY
from tests.phantom.shop.live_shop import ROOM, LiveShop, add
from tests.phantom.shop.stub_gateway import StubGateway, poll


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
