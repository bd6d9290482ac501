# SPDX-License-Identifier: Apache-2.0
"""A shop on a real socket, run in a thread of the test process."""

from __future__ import annotations

import re
import socket
import threading
from typing import Any

import httpx

from bls.phantom.shop import catalogue
from client.storefront.server import make_server
from client.storefront.settings import StorefrontSettings
from tests.phantom.shop.stub_gateway import poll

AGENT = "Person-like test/1.0"
ROOM = "ghe-bookbinder"
OTHER = "vie-ringhof"
SOLD = catalogue("hotel")
BASE = SOLD.item(ROOM).base_micros


class LiveShop:
    """`with LiveShop(StorefrontSettings(...)) as shop: shop.client().get("/")`."""

    def __init__(self, settings: StorefrontSettings) -> None:
        self._server = make_server(settings, "127.0.0.1", 0)
        self._socket = socket.socket()
        self._socket.bind(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],))

    def __enter__(self) -> LiveShop:
        self._thread.start()
        assert poll(lambda: self._server.started)
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join(10)
        assert not self._thread.is_alive()
        self._socket.close()

    def waiting(self) -> int:
        """Records that the gateway has not taken yet."""
        with self.client() as client:
            return int(client.get("/healthz").json()["records"]["waiting"])

    def client(self, **more: Any) -> httpx.Client:
        """A browser without scripts: keeps its cookie, follows redirects."""
        headers = {"user-agent": AGENT}
        return httpx.Client(  # plain HTTP: loading the CA store takes 30 ms
            base_url=self.url, headers=headers, follow_redirects=True, verify=False, **more
        )


def prices(page: str) -> dict[str, int]:
    """Item -> price shown on a page."""
    parts = re.split(r'data-item="([^"]+)"', page)[1:]
    found = {}
    for item, part in zip(parts[::2], parts[1::2], strict=True):
        if price := re.search(r'data-price-micros="(\d+)"', part):
            found[item] = int(price[1])
    return found


def total(page: str) -> int:
    """The total that a page shows."""
    found = re.search(r'data-total-micros="(\d+)"', page)
    assert found, page
    return int(found[1])


def offer(page: str) -> str:
    """The offer that the checkout page would take."""
    found = re.search(r'name="offer" value="([^"]+)"', page)
    assert found, page
    return found[1]


def add(visitor: httpx.Client, item: str = ROOM) -> httpx.Response:
    """One more in the cart; the page that follows."""
    return visitor.post("/cart/add", data={"item": item})
