# SPDX-License-Identifier: Apache-2.0
"""A shop that tells a gateway what its visitors do, and what is on disk of it."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import orjson

from bls.phantom.lines import EVENTS, PRICES
from bls.phantom.shop import catalogue
from client.gateway.settings import GatewaySettings
from tests.client.harness import LiveGateway

ITEMS = list(catalogue("hotel").items)
PATIENT_S = 20.0
"""For a score, where a test does not say otherwise: machines are busy."""
_numbers = itertools.count()


class Shop:
    """Asks one gateway over one connection; `folder` has its logs and its salt."""

    def __init__(self, gateway: LiveGateway, folder: Path, http: httpx.Client) -> None:
        self.gateway, self.folder, self.http = gateway, folder, http

    def post(self, path: str, body: Any, **headers: str) -> httpx.Response:
        return self.http.post(path, json=body, headers=headers)

    def get(self, path: str) -> dict[str, Any]:
        found: dict[str, Any] = self.http.get(path).json()
        return found

    def tell(self, *events: dict[str, Any], sid: str = "s-1", **more: Any) -> httpx.Response:
        """`POST /v1/events`."""
        body = {"session_id": sid, "mode": "hotel", "events": list(events), **more}
        return self.post("/v1/events", body)

    def show(self, *quotes: dict[str, Any], sid: str = "s-1") -> httpx.Response:
        """`POST /v1/prices`."""
        return self.post("/v1/prices", {"session_id": sid, "mode": "hotel", "quotes": list(quotes)})

    def session(self, sid: str = "s-1") -> dict[str, Any]:
        return self.get(f"/v1/sessions/{sid}")

    def events(self) -> list[dict[str, Any]]:
        return lines(self.folder, EVENTS)

    def prices(self) -> list[dict[str, Any]]:
        return lines(self.folder, PRICES)


@contextmanager
def open_shop(triton: str, folder: Path, **settings: Any) -> Iterator[Shop]:
    """A gateway on its folder, and a shop in front of it."""
    usual: dict[str, Any] = {
        "triton": triton,
        "logs": folder / "logs",
        "salt": folder / "session.salt",
    }
    told = GatewaySettings(**(usual | settings))
    with (
        LiveGateway(told) as live,
        httpx.Client(base_url=live.url, verify=False, timeout=60) as http,
    ):
        live.state.sessions.score_timeout_s = PATIENT_S
        yield Shop(live, folder, http)


def event(action: str = "view_item", event_id: str | None = None, **fields: Any) -> dict[str, Any]:
    """One act, of now; on the first item where it needs one."""
    told = {
        "event_id": event_id or f"e-{next(_numbers)}",
        "action": action,
        "ts_ms": int(time.time() * 1000),
        **fields,
    }
    if action in ("view_item", "add_item", "hover_title", "remove") and "item" not in fields:
        told["item"] = ITEMS[0]
    return told


def quote(item: str = ITEMS[0], quote_id: str | None = None, **fields: Any) -> dict[str, Any]:
    """The base price, shown now."""
    return {
        "quote_id": quote_id or f"q-{next(_numbers)}",
        "item": item,
        "price_micros": catalogue("hotel").items[item].base_micros,
        "ts_ms": int(time.time() * 1000),
        **fields,
    }


def lines(folder: Path, stream: str) -> list[dict[str, Any]]:
    """What is on disk of a stream."""
    path = folder / "logs" / stream
    return [orjson.loads(line) for line in path.read_bytes().splitlines()] if path.exists() else []


def fault(response: httpx.Response) -> tuple[int, str, str | None]:
    """Status, code and param of a refusal."""
    error = response.json()["error"]
    return response.status_code, error["code"], error["param"]
