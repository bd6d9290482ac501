# SPDX-License-Identifier: Apache-2.0
"""Answers one chat request: holds a slot, pumps events out, and ends properly.

Whoever ends it first (server, reader, deadline, shutdown), the upstream call is closed, the slot
is free, and a reader who is still there is told why.
"""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager

from starlette.types import Receive, Scope, Send

from bls.contracts import Flag
from bls.errors import SkynetError, internal
from client.gateway.chat_request import Chat
from client.gateway.chunks import DONE, Chunks, disclosure
from client.gateway.completion import Completion
from client.gateway.events import End, Event, Order, Start, Token
from client.gateway.metrics import ReplyStats
from client.gateway.rescore import Rescore
from client.gateway.state import Gateway
from client.gateway.supervise import ReaderLeftError, supervise
from client.gateway.writer import EventWriter
from client.tracing import ReplySpan

log = logging.getLogger("skynet.gateway")


class Reply:
    """An ASGI response for one checked chat request."""

    def __init__(self, gateway: Gateway, chat: Chat, span: ReplySpan):
        self._gateway, self._chat, self._span = gateway, chat, span
        self._request_id = chat.request.request_id
        self._stats = ReplyStats()
        self._began = time.monotonic()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve it. Every outcome is told to the reader, if there still is one."""
        writer = EventWriter(scope, receive, send, self._request_id)
        try:
            await self._serve(writer, receive)
        except ReaderLeftError:
            self._stats.outcome = "cancelled"
        except SkynetError as error:
            self._stats.outcome = error.code
            await writer.fail(error)
        except Exception:  # a fault of ours: the reader still gets a well-formed end
            log.exception("reply %s failed", self._request_id)
            self._stats.outcome = "internal"
            await writer.fail(internal())
        finally:
            self._record()

    async def _serve(self, writer: EventWriter, receive: Receive) -> None:
        gateway, request = self._gateway, self._chat.request
        patience_s = (request.deadline_ms + gateway.settings.deadline_grace_ms) / 1_000
        work = self._stream(writer) if self._chat.stream else self._collect(writer)
        await supervise(work, receive, gateway.drain, patience_s)

    async def _stream(self, writer: EventWriter) -> None:
        chunks = Chunks(self._reply_id, int(time.time()), self._chat.model)
        rows: tuple[str, ...] = ()
        async with (
            writer.heartbeats(self._gateway.settings.heartbeat_s),
            aclosing(self._events()) as events,
        ):
            async for event in events:
                if isinstance(event, Token):
                    await writer.write(chunks.token(event, rows))
                elif isinstance(event, Start):
                    rows = event.rows
                    await writer.write(chunks.start(event))
                else:
                    await writer.write(self._last_chunks(chunks, event))
        await writer.close()

    def _last_chunks(self, chunks: Chunks, end: End) -> bytes:
        parts = [chunks.text(end.text, {})] if end.text else []
        if told := disclosure(end.receipt):
            parts.append(chunks.text(told, {"disclosure": True}))
        parts.append(chunks.finish(end))
        if self._chat.include_usage:
            parts.append(chunks.usage(end.receipt))
        return b"".join([*parts, DONE])

    async def _collect(self, writer: EventWriter) -> None:
        completion = Completion(self._reply_id, self._chat.model)
        async with aclosing(self._events()) as events:
            async for event in events:
                completion.add(event)
        await writer.whole(completion.body())

    async def _events(self) -> AsyncGenerator[Event, None]:
        """Upstream events in the only order the contract allows, counted.

        The end is held back until the upstream call is over and the slot is free: a reader who
        has the last byte can ask again at once.
        """
        gateway, order = self._gateway, Order()
        with gateway.slots.one():
            async with (
                self._session() as session,
                aclosing(gateway.triton.events(self._chat.request)) as events,
            ):
                async for event in events:
                    order.check(event)
                    if isinstance(event, Token):
                        self._count(event)
                    if session is not None:
                        self._saw(session, event)
                    if not isinstance(event, End):
                        yield event
        yield order.end()

    @asynccontextmanager
    async def _session(self) -> AsyncIterator[Rescore | None]:
        """While the reply is written: who tells the server of its shop session's score."""
        gateway, request = self._gateway, self._chat.request
        if request.session_id is None:
            yield None
            return
        gateway.chats.remember(request.conv_id, request.session_id)
        timeout_s = gateway.settings.update_timeout_s
        rescore = Rescore(gateway.triton, gateway.chats, request, timeout_s)
        try:
            yield rescore
        finally:
            await rescore.close()

    def _saw(self, session: Rescore, event: Event) -> None:
        request = self._chat.request
        if isinstance(event, Start) and request.session_id is not None:
            self._gateway.chats.remember(request.conv_id, request.session_id, event.invalid_at)
        elif isinstance(event, Token):
            session.look()

    def _count(self, token: Token) -> None:
        stats = self._stats
        if stats.ttft_s is None:
            stats.ttft_s = time.monotonic() - self._began
        stats.tokens += 1
        stats.sponsored += bool(token.flags & Flag.SPONSORED)

    def _record(self) -> None:
        self._gateway.metrics.record(self._stats)
        self._span.set("skynet.outcome", self._stats.outcome)
        self._span.set("skynet.tokens", self._stats.tokens)

    @property
    def _reply_id(self) -> str:
        return "chatcmpl-" + self._request_id.removeprefix("req-")
