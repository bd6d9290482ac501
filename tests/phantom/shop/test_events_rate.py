# SPDX-License-Identifier: Apache-2.0
"""What browsers tell is limited, by visit and by address; pages and orders are not."""

from __future__ import annotations

import functools
import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from client.limiter import Limiter
from client.storefront import shop as shop_module
from client.storefront.settings import StorefrontSettings
from tests.phantom.shop.conftest import fast
from tests.phantom.shop.live_shop import ROOM, LiveShop, offer
from tests.phantom.shop.stub_gateway import StubGateway

pytestmark = pytest.mark.spec("PH-05")

VISIT, ADDRESS = 3, 8


@pytest.fixture
def still(monkeypatch: pytest.MonkeyPatch, running_gateway: StubGateway) -> Iterator[LiveShop]:
    """A shop whose seconds do not pass: what a visit and an address may tell is soon told."""
    running_gateway.status = {}
    monkeypatch.setattr(shop_module, "Limiter", functools.partial(Limiter, clock=lambda: 0.0))
    rates = {"visit_posts_per_s": VISIT, "address_posts_per_s": ADDRESS}
    with LiveShop(fast(running_gateway.url, **rates)) as live:
        yield live


def hover(visitor: httpx.Client) -> httpx.Response:
    told = {"event_id": uuid.uuid4().hex, "action": "hover_title", "item": ROOM, "dwell_ms": 300}
    return visitor.post("/events", json={"events": [told]})


def hovers(visitor: httpx.Client, times: int) -> list[int]:
    return [hover(visitor).status_code for _ in range(times)]


def test_a_visit_tells_so_much_and_no_more(still: LiveShop) -> None:
    with still.client() as visitor, still.client() as other:
        visitor.get("/")
        other.get("/")
        assert hovers(visitor, VISIT) == [204] * VISIT
        refused = hover(visitor)
        assert refused.status_code == 429 and refused.json()["error"]["code"] == "rate_limited"
        assert int(refused.headers["retry-after"]) >= 1
        assert hovers(other, 1) == [204], "another visit of the same address"


def test_an_address_tells_so_much_and_no_more(still: LiveShop) -> None:
    """Whoever takes a new visit for every request is still at one address."""
    answers = []
    for _ in range(ADDRESS + 1):
        with still.client() as visitor:
            visitor.get("/")
            answers += hovers(visitor, 1)
    assert answers == [204] * ADDRESS + [429]
    with still.client() as visitor:
        visitor.headers["x-forwarded-for"] = "203.0.113.7"  # what the proxy in front says
        visitor.get("/")
        assert hovers(visitor, 1) == [204]


def test_what_is_no_visit_counts_for_its_address(still: LiveShop) -> None:
    with still.client() as nobody:
        assert hovers(nobody, ADDRESS + 1) == [409] * ADDRESS + [429]


def test_pages_and_orders_know_nothing_of_it(still: LiveShop) -> None:
    with still.client() as visitor:
        visitor.get("/")
        assert 429 in hovers(visitor, ADDRESS + 1)
        for _ in range(2 * ADDRESS):
            assert visitor.get("/").status_code == 200
        assert visitor.post("/cart/add", data={"item": ROOM}).status_code == 200
        taken = {"offer": offer(visitor.get("/checkout").text)}
        assert visitor.post("/checkout", data=taken).url.path == "/thanks"


def test_few_visits_are_remembered(still: LiveShop) -> None:
    limits: list[Any] = [StorefrontSettings(mode="hotel"), fast("http://127.0.0.1:9", sessions=5)]
    for settings in limits:
        limiter = Limiter(settings.visit_posts_per_s, settings.sessions, clock=lambda: 0.0)
        for number in range(settings.sessions + 3):
            limiter.take(f"v{number}")
        assert len(limiter._buckets) == settings.sessions
