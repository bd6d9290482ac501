# SPDX-License-Identifier: Apache-2.0
"""`python -m client.storefront.bench`: what a visitor of the shop waits for, and what is behind it.

One caller, one connection, a whole stack of its own. `/healthz` of each server, which does nothing,
is the floor. An event counts from the request to the answer: checked, scored, on disk.
"""

from __future__ import annotations

import argparse
import itertools
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import numpy as np

from bls.phantom.shop import catalogue
from bls.settings import Settings
from client.launcher.stack import Stack

_WARM_UP = 20
_VISIT = 8
"""Requests of a session before the next begins; the shop tells some more of its own."""


class Way(NamedTuple):
    """Something to wait for; `made` gives the request of each number."""

    name: str
    made: Callable[[int], httpx.Request]


def ways(shop: httpx.Client, gateway: httpx.Client) -> Iterator[tuple[httpx.Client, Way]]:
    """Floor first, then what stands on it, server by server."""
    items = list(catalogue("hotel").items)
    turn = itertools.count()

    def page(path: str) -> Callable[[int], httpx.Request]:
        def made(number: int) -> httpx.Request:
            if number % _VISIT == 0:
                shop.cookies.clear()  # the next visitor
            return shop.build_request("GET", path.format(item=items[number % len(items)]))

        return made

    def told(path: str, field: str, entries: Callable[[int], list[Any]]) -> Way:
        def made(_: int) -> httpx.Request:
            number = next(turn)
            body = {"session_id": f"bench-{number // _VISIT}", "mode": "hotel"}
            return gateway.build_request("POST", path, json=body | {field: entries(number)})

        return Way(f"POST {path}", made)

    def event(number: int) -> list[dict[str, object]]:
        act = {"action": "view_item", "item": items[number % len(items)]}
        return [{"event_id": f"e-{number}", "ts_ms": int(1e3 * time.time()), **act}]

    yield shop, Way("shop /healthz", page("/healthz"))
    for path in ("/", "/?q=sea&sort=price", "/item/{item}"):
        yield shop, Way(f"GET {path}", page(path))
    yield gateway, Way("gateway /healthz", lambda _: gateway.build_request("GET", "/healthz"))
    yield gateway, told("/v1/events", "events", event)
    yield gateway, told("/v1/quotes", "items", lambda _: items[:24])


def measured(client: httpx.Client, way: Way, requests: int) -> list[float]:
    """Milliseconds of every answer. Raises `httpx.HTTPStatusError` for one that is none."""
    each = []
    for number in range(-_WARM_UP, requests):
        request = way.made(number)
        began = time.perf_counter()
        client.send(request).raise_for_status()
        if number >= 0:
            each.append(1e3 * (time.perf_counter() - began))
    return each


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m client.storefront.bench", description=__doc__)
    parser.add_argument("--requests", type=int, default=500, help="of each kind")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as state:
        free: dict[str, Any] = {
            "port": 0,
            "store_port": 0,
            "triton_grpc_port": 0,
            "triton_metrics_port": 0,
        }
        settings = Settings(state=Path(state), store_mode="hotel", kafka_port=0, **free)
        with Stack(settings) as stack:
            print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, {options.requests} each")
            print("| request | ms p50 | p95 | p99 |\n| --- | ---: | ---: | ---: |")
            shop = httpx.Client(base_url=str(stack.shop_url))
            gateway = httpx.Client(base_url=stack.gateway_url)
            with shop, gateway:
                for client, way in ways(shop, gateway):
                    figures = np.percentile(measured(client, way, options.requests), [50, 95, 99])
                    print(f"| {way.name} | " + " | ".join(f"{ms:.2f}" for ms in figures) + " |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
