# SPDX-License-Identifier: Apache-2.0
"""Writes server-sent events over ASGI, with heartbeat comments while there is nothing to say.

The status line goes out with the first event or heartbeat, so a request refused before that
still gets a proper HTTP status.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from bls.errors import SkynetError
from client.gateway.chunks import KEEP_ALIVE, error_event
from client.gateway.errors import error_response

FAIL_S = 1.0
"""How long an error event may wait for a reader that does not read."""

_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache, no-transform"),
    (b"x-accel-buffering", b"no"),
]


class EventWriter:
    """One event stream. Each `write` is a whole number of events; writers do not interleave."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, request_id: str):
        self._scope, self._receive, self._send = scope, receive, send
        self._request_id = request_id
        self._lock = asyncio.Lock()
        self._last = time.monotonic()
        self.started = False

    async def write(self, data: bytes) -> None:
        """Send `data` now; waits while the reader is slow."""
        async with self._lock:
            if not self.started:
                self.started = True
                start = {"type": "http.response.start", "status": 200, "headers": _HEADERS}
                await self._send(start)
            await self._send({"type": "http.response.body", "body": data, "more_body": True})
            self._last = time.monotonic()

    async def close(self) -> None:
        """End the stream."""
        async with self._lock:
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def whole(self, body: bytes) -> None:
        """Answer with one JSON document instead of a stream."""
        response = Response(body, media_type="application/json")
        await response(self._scope, self._receive, self._send)

    async def fail(self, error: SkynetError) -> None:
        """Tell the reader of `error`: an HTTP answer, or an event if the stream began."""
        if not self.started:
            response = error_response(error, self._request_id)
            await response(self._scope, self._receive, self._send)
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(FAIL_S):
                await self.write(error_event(error, self._request_id))
                await self.close()

    @asynccontextmanager
    async def heartbeats(self, every_s: float) -> AsyncIterator[None]:
        """Inside, a comment goes out whenever nothing did for `every_s` seconds."""
        task = asyncio.create_task(self._beat(every_s))
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _beat(self, every_s: float) -> None:
        while True:
            wait = self._last + every_s - time.monotonic()
            if wait > 0:
                await asyncio.sleep(wait)
            else:
                await self.write(KEEP_ALIVE)
