# SPDX-License-Identifier: Apache-2.0
"""The gateway as the shop uses it: quotes, records, and the assistant's replies."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

import httpx

from bls.errors import SkynetError
from client.storefront.settings import StorefrontSettings

_PATHS = ("/v1/quotes", "/v1/events", "/v1/prices")
"""Asked with nearly every page: read as addresses once, not with each request."""

_RETRY = frozenset({401, 403, 404, 408, 425})
"""About how the two are set up, or the moment; never about what is told."""
_ENTRY = re.compile(r"(?:events|quotes)\.([0-9]{1,4})(?:\.|$)")
"""Where a fault is: of which entry."""
_CHAT_TIMEOUT = httpx.Timeout(10.0, read=30.0)  # heartbeats come every second


class Sent(Enum):
    """What became of a request that records something."""

    DONE = auto()
    LATER = auto()  # try again with the same ids
    BUSY = auto()  # the same, but only this session has to wait: it told too much, or too early
    REFUSED = auto()  # trying again would be refused again


@dataclass(frozen=True, slots=True)
class Fault:
    """A request was refused for its entry number `entry`; without it the rest can be taken."""

    entry: int


class GatewayClient:
    """One pool of connections. Holds the key; what it raises and returns does not."""

    def __init__(self, settings: StorefrontSettings) -> None:
        headers = {"authorization": f"Bearer {settings.api_key}"} if settings.api_key else {}
        self._http = httpx.AsyncClient(base_url=settings.gateway, headers=headers)
        base = settings.gateway.rstrip("/")
        self._urls = {path: httpx.URL(base + path) for path in _PATHS}
        self._quote_timeout_s = settings.quote_timeout_s
        self._send_timeout_s = settings.send_timeout_s

    async def close(self) -> None:
        await self._http.aclose()

    async def quotes(self, body: dict[str, Any], user_agent: str) -> Any:
        """The JSON answer of the pricing provider.

        Raises `TimeoutError` when all of it is not here in time, `httpx.HTTPError`, `ValueError`;
        `rate_limited`, `session_full` where it is the session that asks too often.
        """
        async with asyncio.timeout(self._quote_timeout_s):
            answer = await self._http.post(
                self._urls["/v1/quotes"], json=body, headers=_of(user_agent), timeout=None
            )
        if answer.status_code == httpx.codes.TOO_MANY_REQUESTS:
            raise SkynetError("rate_limited", "Too many pages at once; wait a moment.", 429)
        if answer.status_code == httpx.codes.CONFLICT:
            raise SkynetError("session_full", "This visit has seen all the prices it may see.", 429)
        answer.raise_for_status()
        return answer.json()

    async def record(self, path: str, body: dict[str, Any], user_agent: str) -> Sent | Fault:
        """Post what happened; never raises for what the network does."""
        try:
            async with asyncio.timeout(self._send_timeout_s):
                answer = await self._http.post(
                    self._urls[path], json=body, headers=_of(user_agent), timeout=None
                )
        except (httpx.HTTPError, TimeoutError):
            return Sent.LATER
        return _outcome(answer)

    @asynccontextmanager
    async def chat(self, body: dict[str, Any]) -> AsyncIterator[httpx.Response]:
        """The streamed answer of the chat endpoint. Raises `httpx.HTTPError`."""
        async with self._http.stream(
            "POST", "/v1/chat/completions", json=body, timeout=_CHAT_TIMEOUT
        ) as answer:
            yield answer


def _outcome(answer: httpx.Response) -> Sent | Fault:
    """Where our clock is ahead of the gateway's, what is in its future will soon be in its past."""
    status = answer.status_code
    if answer.is_success:
        return Sent.DONE
    if status == httpx.codes.TOO_MANY_REQUESTS:
        return Sent.BUSY
    if status >= 500 or status in _RETRY:
        return Sent.LATER
    if status != httpx.codes.BAD_REQUEST:
        return Sent.REFUSED
    code, param = _told(answer)
    if code == "in_the_future":
        return Sent.BUSY
    found = _ENTRY.match(param)
    return Fault(int(found[1])) if found else Sent.REFUSED


def _told(answer: httpx.Response) -> tuple[str, str]:
    """Code and field of a refusal; empty where it names none."""
    try:
        error = answer.json()["error"]
        return str(error["code"]), str(error["param"])
    except (ValueError, KeyError, TypeError):
        return "", ""


def _of(user_agent: str) -> dict[bytes, bytes]:
    """The visitor's user agent, for the gateway to hash."""
    return {b"user-agent": user_agent.encode("latin-1", "replace")}
