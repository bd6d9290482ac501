# SPDX-License-Identifier: Apache-2.0
"""The gateway as the shop sees it, on a real socket: quotes, records, a scripted reply.

Scripted where a test needs it to misbehave; `tests/system/test_shop.py` has the real one.
"""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from bls.contracts import Flag
from bls.phantom.shop import catalogue
from client.gateway.chunks import DONE, Chunks, disclosure
from client.gateway.events import End, Start, Token

WORDS = ("Try", " the", " Harbor", " rooms", " by", " the", " water", ".")
SPONSORED = (2, 3)
DISCLOSURE = "Parts of this reply were sponsored by harbor_hotels."
ROWS = ("reference", "harbor_hotels")


def poll(condition: Callable[[], Any], seconds: float = 10.0) -> bool:
    """Whether it came true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


@dataclass
class StubGateway:
    """`quote` gives the body of a quotes answer; `status` sets a path's answer, 0 the usual one."""

    quote: Callable[[dict[str, Any]], Any] = field(default_factory=lambda: at_base)
    delay_s: float = 0.0
    status: dict[str, int] = field(default_factory=dict)
    posted: list[tuple[str, dict[str, Any], dict[str, str]]] = field(default_factory=list)
    cut_chat: bool = False
    slow_chat_s: float = 0.0

    def __enter__(self) -> StubGateway:
        routes = [
            Route(f"/v1/{name}", self._answer, methods=["POST"])
            for name in ("quotes", "events", "prices", "chat/completions")
        ]
        self._socket = socket.socket()
        self._socket.bind(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        config = uvicorn.Config(Starlette(routes=routes), log_level="warning", lifespan="off")
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],))
        self._thread.start()
        assert poll(lambda: self._server.started)
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = self._server.force_exit = True
        self._thread.join(10)
        self._socket.close()

    def bodies(self, path: str) -> list[dict[str, Any]]:
        """What was posted to a path."""
        return [body for where, body, _ in self.posted if where == path]

    def events(self) -> list[dict[str, Any]]:
        """Events that were taken, each id once, in the order of their first coming."""
        found: dict[str, dict[str, Any]] = {}
        for body in self.bodies("/v1/events"):
            for event in body["events"]:
                found.setdefault(event["event_id"], event)
        return list(found.values())

    def actions(self) -> list[str]:
        return [event["action"] for event in self.events()]

    async def _answer(self, request: Request) -> Response:
        path, body = request.url.path, json.loads(await request.body())
        if status := self.status.get(path, 0):
            error = {"code": "told_so", "message": "The words of the gateway.", "param": None}
            return JSONResponse({"error": error}, status)
        self.posted.append((path, body, dict(request.headers)))
        if path == "/v1/quotes":
            await asyncio.sleep(self.delay_s)
            told = self.quote(body)
            return told if isinstance(told, Response) else JSONResponse(told)
        if path == "/v1/chat/completions":
            return StreamingResponse(self._reply(body), media_type="text/event-stream")
        return JSONResponse({"accepted": 1, "duplicates": 0, "agent_probability": None})

    async def _reply(self, body: dict[str, Any]) -> AsyncIterator[bytes]:
        chunks = Chunks("chatcmpl-1", 0, "skynet")
        yield chunks.start(Start(body["skynet"]["conv_id"], ROWS, (1.0, 2.0)))
        for index, word in enumerate(WORDS):
            await asyncio.sleep(self.slow_chat_s)
            yield chunks.token(_token(index, word, int(index in SPONSORED)), ROWS)
        if self.cut_chat:
            return
        receipt = {
            "disclosure": DISCLOSURE,
            "completion_tokens": len(WORDS),
            "sponsored_tokens": len(SPONSORED),
            "currency": "USD",
            "total_micros": 250,
            "finish_reason": "stop",
            "lines": [],
        }
        yield chunks.text(disclosure(receipt), {"disclosure": True})
        yield chunks.finish(End("", "stop", receipt))
        yield DONE


def _token(index: int, text: str, winner: int) -> Token:
    flags = int(Flag.SPONSORED) if winner else 0
    two = (0.0, 0.5)
    return Token(index, index, text, winner, flags, 0.4, two, two, two, two, two, (0, 0))


def at_base(body: dict[str, Any]) -> dict[str, Any]:
    """Every item at its base price, said by a policy."""
    return at(1.0)(body)


def at(multiplier: float) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Every item at its base price times `multiplier`, in whole cents."""

    def quote(body: dict[str, Any]) -> dict[str, Any]:
        sold = catalogue(body["mode"])
        quotes = [
            {
                "item": name,
                "price_micros": round(sold.item(name).base_micros * multiplier / 10_000) * 10_000,
                "base_micros": sold.item(name).base_micros,
                "policy": "session_price",
                "version": "0123456789abcdef",
            }
            for name in body["items"]
        ]
        return {"session_id": body["session_id"], "currency": sold.currency, "quotes": quotes}

    return quote
