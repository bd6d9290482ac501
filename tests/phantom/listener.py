# SPDX-License-Identifier: Apache-2.0
"""A gateway that notes what a shop tells it, alone or in front of a real one."""

from __future__ import annotations

import collections
import contextlib
import json
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx

_TIMEOUT_S = 100.0
"""Past what a gateway lets a reply take. The shop waits for prices far less, and by itself."""
_JSON = "application/json"
_PASSED = ("authorization", "content-type", "user-agent")


class Listener:
    """Takes records. Alone it knows no prices; in front of a gateway it answers what that answers,
    a chat whole.

    Args:
        gateway: address of the one behind it.

    Attributes:
        told: session id -> event id -> action. What is told twice is there once.
        priced: session id -> prices as (item, millionths) that the gateway gave, or that the shop
            told to have set itself.
        asked: paths and bodies, in their order.
        away: requests that the gateway behind it did not answer.
    """

    def __init__(self, gateway: str | None = None) -> None:
        self.told = collections.defaultdict[str, dict[str, str]](dict)
        self.priced = collections.defaultdict[str, set[tuple[str, int]]](set)
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.away = 0
        limits = httpx.Limits(keepalive_expiry=1.0)  # before the other side ends it
        self._behind = (
            httpx.Client(base_url=gateway, timeout=_TIMEOUT_S, limits=limits) if gateway else None
        )
        listener = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                try:
                    body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                except ValueError:  # who asked has gone, in the middle of it
                    return
                status, kind, told = listener.take(self.path, body, dict(self.headers.items()))
                with contextlib.suppress(ConnectionError):  # who was too slow asks again
                    self.send_response(status)
                    self.send_header("content-type", kind)
                    self.send_header("content-length", str(len(told)))
                    self.end_headers()
                    self.wfile.write(told)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"

    def take(
        self, path: str, body: dict[str, Any], headers: Mapping[str, str]
    ) -> tuple[int, str, bytes]:
        """Status, media type and body of the answer."""
        self.asked.append((path, body))
        for one in body.get("events", ()):
            self.told[body["session_id"]][one["event_id"]] = one["action"]
        self._price(body)
        if not self._behind:
            return (404 if path == "/v1/quotes" else 200), _JSON, b"{}"
        passed = {name: value for name, value in headers.items() if name.lower() in _PASSED}
        try:
            answer = self._behind.post(path, json=body, headers=passed)
        except httpx.HTTPError:
            self.away += 1
            return 502, _JSON, b"{}"
        if path == "/v1/quotes" and answer.is_success:
            self._price(answer.json())
        return answer.status_code, answer.headers.get("content-type", _JSON), answer.content

    def _price(self, told: dict[str, Any]) -> None:
        """Of a request of the shop's, or an answer of the gateway's."""
        for one in told.get("quotes", ()):
            self.priced[told["session_id"]].add((one["item"], one["price_micros"]))
