# SPDX-License-Identifier: Apache-2.0
"""The gateway as the shop uses it: quotes, records, and the assistant's replies."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import Enum, auto
from typing import Any

import httpx

from client.storefront.settings import StorefrontSettings

_RETRY = frozenset({408, 425, 429})
_CHAT_TIMEOUT = httpx.Timeout(10.0, read=30.0)  # heartbeats come every second


class Sent(Enum):
    """What became of a request that records something."""

    DONE = auto()
    LATER = auto()  # try again with the same ids
    REFUSED = auto()  # trying again would be refused again


class GatewayClient:
    """One pool of connections. Holds the key; what it raises and returns does not."""

    def __init__(self, settings: StorefrontSettings) -> None:
        headers = {"authorization": f"Bearer {settings.api_key}"} if settings.api_key else {}
        self._http = httpx.AsyncClient(base_url=settings.gateway, headers=headers)
        self._quote_timeout_s = settings.quote_timeout_s
        self._send_timeout_s = settings.send_timeout_s

    async def close(self) -> None:
        await self._http.aclose()

    async def quotes(self, body: dict[str, Any], user_agent: str) -> Any:
        """The JSON answer of the pricing provider.

        Raises `TimeoutError` when all of it is not here in time, `httpx.HTTPError`, `ValueError`.
        """
        async with asyncio.timeout(self._quote_timeout_s):
            answer = await self._http.post(
                "/v1/quotes", json=body, headers=_of(user_agent), timeout=None
            )
        answer.raise_for_status()
        return answer.json()

    async def record(self, path: str, body: dict[str, Any], user_agent: str) -> Sent:
        """Post what happened; never raises for what the network does."""
        try:
            async with asyncio.timeout(self._send_timeout_s):
                answer = await self._http.post(
                    path, json=body, headers=_of(user_agent), timeout=None
                )
        except (httpx.HTTPError, TimeoutError):
            return Sent.LATER
        if answer.is_success:
            return Sent.DONE
        if answer.status_code >= 500 or answer.status_code in _RETRY:
            return Sent.LATER
        return Sent.REFUSED

    @asynccontextmanager
    async def chat(self, body: dict[str, Any]) -> AsyncIterator[httpx.Response]:
        """The streamed answer of the chat endpoint. Raises `httpx.HTTPError`."""
        async with self._http.stream(
            "POST", "/v1/chat/completions", json=body, timeout=_CHAT_TIMEOUT
        ) as answer:
            yield answer


def _of(user_agent: str) -> dict[bytes, bytes]:
    """The visitor's user agent, for the gateway to hash."""
    return {b"user-agent": user_agent.encode("latin-1", "replace")}
