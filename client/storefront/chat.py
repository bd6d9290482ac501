# SPDX-License-Identifier: Apache-2.0
"""`POST /chat`: the assistant's reply, streamed from the gateway as it comes.

The gateway auctions the tokens, marks the sponsored ones and ends with a disclosure and a receipt;
the shop passes its events on unchanged and adds who is asking (`skynet.session_id`), what the shop
is, and what the page shows. Nothing that is said is kept or logged here. The chat's id at the
gateway, which bids, charges and clicks are recorded under, tells nobody whose chat it is.
"""

from __future__ import annotations

import uuid
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated, Any, Literal

import httpx
import orjson
from pydantic import Field, ValidationError
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from bls.errors import SkynetError
from bls.request import Strict, from_validation
from client.storefront.body import CHAT_BYTES, read_object
from client.storefront.pages import last_price
from client.storefront.render import money
from client.storefront.shop import Shop, shop_of
from client.storefront.visits import Visit

MAX_TOKENS = 96
_SHOWN = 4
_HEADERS = {"cache-control": "no-cache, no-transform", "x-accel-buffering": "no"}


class Said(Strict):
    """One turn."""

    role: Literal["user", "assistant"]
    content: Annotated[str, Field(min_length=1, max_length=4_000)]


class Asked(Strict):
    """The conversation so far, its id, and the items of the page."""

    messages: Annotated[list[Said], Field(min_length=1, max_length=40)]
    chat: Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{8,64}$")]
    items: Annotated[list[Annotated[str, Field(max_length=128)]], Field(max_length=64)] = Field(
        default_factory=list
    )


async def post_chat(request: Request) -> Response:
    """A stream of server-sent events, or an error in the gateway's shape."""
    shop = shop_of(request)
    body = await read_object(request, CHAT_BYTES)
    visit = shop.known(request)
    try:
        asked = Asked.model_validate(body)
    except ValidationError as error:
        raise from_validation(error) from None
    if visit.chatting:
        raise SkynetError("busy", "The assistant is still answering; stop it or wait.", 429)
    visit.chatting = True
    return _Reply(visit, _events(shop, visit, asked))


class _Reply(StreamingResponse):
    """The visit may ask again once this is over, also where it never began."""

    def __init__(self, visit: Visit, events: AsyncGenerator[bytes]) -> None:
        super().__init__(events, media_type="text/event-stream", headers=_HEADERS)
        self._visit, self._events = visit, events

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            async with aclosing(self._events):
                await super().__call__(scope, receive, send)
        finally:
            self._visit.chatting = False


async def _events(shop: Shop, visit: Visit, asked: Asked) -> AsyncGenerator[bytes]:
    """The gateway's events. A fault becomes an event too: the page shows its words."""
    try:
        async with shop.gateway.chat(_request(shop, visit, asked)) as answer:
            if answer.status_code != httpx.codes.OK:
                yield _fault(_refusal(answer.status_code, await answer.aread()))
                return
            async for data in answer.aiter_bytes():
                yield data
    except httpx.HTTPError:
        yield _fault(_away())


def _request(shop: Shop, visit: Visit, asked: Asked) -> dict[str, Any]:
    """The gateway's chat request."""
    turns = [{"role": said.role, "content": said.content} for said in asked.messages]
    return {
        "model": "skynet",
        "stream": True,
        "max_tokens": MAX_TOKENS,
        "messages": [{"role": "system", "content": _setting(shop, visit, asked)}, *turns],
        "skynet": {"conv_id": visit.conversation(asked.chat), "session_id": visit.sid},
    }


def _setting(shop: Shop, visit: Visit, asked: Asked) -> str:
    """What the assistant is, and the first few things on the page with the prices shown."""
    known = [shop.catalogue.items[name] for name in asked.items if name in shop.catalogue.items]
    listed = [
        f"- {item.title}: {shop.words.facts(item)}, "
        f"{money(last_price(visit, item), shop.catalogue.currency)} {shop.words.per}"
        for item in known[:_SHOWN]
    ]
    return "\n".join([shop.words.greeting, *(["On the page now:", *listed] if listed else [])])


def _refusal(status: int, body: bytes) -> SkynetError:
    """The gateway's own words where they are about the request; not where they are about us."""
    if status in (401, 403, 404):
        return _away()
    try:
        error = orjson.loads(body)["error"]
        return SkynetError(str(error["code"]), str(error["message"]), status)
    except (ValueError, KeyError, TypeError):
        return _away()


def _away() -> SkynetError:
    return SkynetError("assistant_away", "The assistant does not answer now; try again later.", 502)


def _fault(error: SkynetError) -> bytes:
    told = {"code": error.code, "message": error.message, "request_id": uuid.uuid4().hex}
    return b"data: " + orjson.dumps({"error": told}) + b"\n\n"
