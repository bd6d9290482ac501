# SPDX-License-Identifier: Apache-2.0
"""A shop in front of a stub of the gateway: one pair a module, its script reset for every test."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from client.storefront.settings import StorefrontSettings
from tests.phantom.shop.live_shop import LiveShop
from tests.phantom.shop.stub_gateway import StubGateway, at_base, poll

KEY = "a-key-of-the-gateway"


def fast(url: str, **more: object) -> StorefrontSettings:
    """Settings for tests: short waits, the same rules."""
    told: dict[str, object] = {
        "mode": "hotel",
        "gateway": url,
        "api_key": KEY,
        "gather_s": 0.01,
        "retry_s": 0.02,
        "quote_pause_s": 0.0,
        "shutdown_s": 0.2,
    }
    return StorefrontSettings(**(told | more))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def running_gateway() -> Iterator[StubGateway]:
    with StubGateway() as stub:
        yield stub


@pytest.fixture(scope="module")
def running_shop(running_gateway: StubGateway) -> Iterator[LiveShop]:
    with LiveShop(fast(running_gateway.url)) as live:
        yield live


@pytest.fixture
def gateway(running_gateway: StubGateway, running_shop: LiveShop) -> StubGateway:
    stub = running_gateway
    stub.quote, stub.delay_s, stub.status = at_base, 0.0, {}
    stub.cut_chat, stub.slow_chat_s = False, 0.0
    assert poll(lambda: running_shop.waiting() == 0), "the test before still has records"
    stub.posted.clear()
    return stub


@pytest.fixture
def shop(running_shop: LiveShop, gateway: StubGateway) -> LiveShop:
    return running_shop


@pytest.fixture
def visitor(shop: LiveShop) -> Iterator[httpx.Client]:
    with shop.client() as client:
        yield client
