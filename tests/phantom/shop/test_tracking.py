# SPDX-License-Identifier: Apache-2.0
"""What scripts of a page tell the shop: recorded once, refused whole, and bounded."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.phantom.shop.live_shop import ROOM
from tests.phantom.shop.stub_gateway import StubGateway, poll


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
