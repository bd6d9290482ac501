# SPDX-License-Identifier: Apache-2.0
"""The three calls of a simulated user: ask, bid, react; over one pool of connections."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from types import TracebackType
from typing import Any
from urllib.parse import quote

import httpx

from client.replies import Event, read_chunk
from client.sse import Decoder
from client.thin import auth, http_error

_TIMEOUT = httpx.Timeout(10.0, read=60.0, pool=30.0)
_OK = (httpx.codes.OK, httpx.codes.CREATED, httpx.codes.ACCEPTED, httpx.codes.NO_CONTENT)


class LiveGateway:
    """All calls raise `ReplyError` for a refusal and `httpx.HTTPError` without an answer."""

    def __init__(self, url: str, connections: int) -> None:
        limits = httpx.Limits(max_connections=connections, max_keepalive_connections=connections)
        self._http = httpx.AsyncClient(
            base_url=url.rstrip("/"), headers=auth(), timeout=_TIMEOUT, limits=limits
        )

    async def __aenter__(self) -> LiveGateway:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._http.aclose()

    async def reply(self, body: dict[str, Any]) -> AsyncGenerator[Event, None]:
        """Events of one reply as they come."""
        decoder = Decoder()
        async with self._http.stream("POST", "/v1/chat/completions", json=body) as response:
            if response.status_code != httpx.codes.OK:
                raise http_error(response.status_code, await response.aread())
            async for data in response.aiter_bytes():
                for chunk in decoder.feed(data):
                    if (event := read_chunk(chunk)) is not None:
                        yield event
        decoder.finish()

    async def bid(self, conv_id: str, bids: dict[str, float]) -> None:
        """Change bids of a live reply."""
        path = f"/v1/replies/{quote(conv_id, safe='')}/bids"
        self._check(await self._http.put(path, json={"bids": bids}))

    async def click(self, event: dict[str, Any]) -> None:
        """Report what readers did with one advertiser's part of a reply."""
        self._check(await self._http.post("/v1/clicks", json=event))

    def _check(self, response: httpx.Response) -> None:
        if response.status_code not in _OK:
            raise http_error(response.status_code, response.content)
