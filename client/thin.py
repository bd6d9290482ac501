# SPDX-License-Identifier: Apache-2.0
"""The thin client: streams a reply from a gateway with nothing but httpx.

`stream_chat` yields typed events, `stream_chunks` the raw chunk JSON; each has an async twin.
Leaving the loop early closes the connection, which cancels the reply.
"""

from __future__ import annotations

import json
import os
from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import aclosing, closing
from typing import Any
from urllib.parse import quote

import httpx

from client.replies import Event, ReplyError, read_chunk
from client.sse import Decoder

DEFAULT_URL = "http://127.0.0.1:8080"

Messages = Sequence[dict[str, str]]
JSON = dict[str, Any]

_TIMEOUT = httpx.Timeout(10.0, read=30.0)  # heartbeats come every second
_PATIENT = httpx.Timeout(10.0, read=100.0)  # past the gateway's own limit of 90 s


def chat_body(messages: Messages, model: str = "skynet", **options: Any) -> JSON:
    """A streaming request. `options` are OpenAI's fields and `skynet`; None is left out."""
    given = {name: value for name, value in options.items() if value is not None}
    return {"model": model, "messages": list(messages), "stream": True, **given}


def stream_chat(url: str, messages: Messages, **options: Any) -> Generator[Event, None, None]:
    """Events of one reply. Raises `ReplyError`, or `httpx.HTTPError` if the gateway is away."""
    with closing(stream_chunks(url, chat_body(messages, **options))) as chunks:
        for chunk in chunks:
            if (event := read_chunk(chunk)) is not None:
                yield event


def stream_chunks(url: str, body: JSON) -> Generator[JSON, None, None]:
    """Raw chunks of one reply; raises as `stream_chat`."""
    decoder = Decoder()
    with (
        httpx.Client(timeout=_TIMEOUT) as http,
        http.stream("POST", _chat(url), json=body, headers=auth()) as response,
    ):
        if response.status_code != httpx.codes.OK:
            raise http_error(response.status_code, response.read())
        for data in response.iter_bytes():
            yield from decoder.feed(data)
    decoder.finish()


async def astream_chat(url: str, messages: Messages, **options: Any) -> AsyncGenerator[Event, None]:
    """`stream_chat` for asyncio. To leave the loop early, hold it in `contextlib.aclosing`."""
    async with aclosing(astream_chunks(url, chat_body(messages, **options))) as chunks:
        async for chunk in chunks:
            if (event := read_chunk(chunk)) is not None:
                yield event


async def astream_chunks(url: str, body: JSON) -> AsyncGenerator[JSON, None]:
    """`stream_chunks` for asyncio."""
    decoder = Decoder()
    async with (
        httpx.AsyncClient(timeout=_TIMEOUT) as http,
        http.stream("POST", _chat(url), json=body, headers=auth()) as response,
    ):
        if response.status_code != httpx.codes.OK:
            raise http_error(response.status_code, await response.aread())
        async for data in response.aiter_bytes():
            for chunk in decoder.feed(data):
                yield chunk
    decoder.finish()


def get_json(url: str, path: str) -> JSON:
    """`GET path` from a gateway; raises as `stream_chat`."""
    response = httpx.get(url.rstrip("/") + path, headers=auth(), timeout=_TIMEOUT)
    if response.status_code != httpx.codes.OK:
        raise http_error(response.status_code, response.content)
    return dict(response.json())


def post_json(
    url: str,
    path: str,
    body: JSON,
    headers: dict[str, str] | None = None,
    *,
    patient: bool = False,
) -> JSON:
    """`POST path` with a JSON body; raises as `stream_chat`.

    Args:
        patient: wait past the gateway's own limit for a reply, not for half a minute.
    """
    address, timeout = url.rstrip("/") + path, _PATIENT if patient else _TIMEOUT
    response = httpx.post(address, json=body, headers=auth() | (headers or {}), timeout=timeout)
    if not response.is_success:
        raise http_error(response.status_code, response.content)
    return dict(response.json())


def update_bids(url: str, conv_id: str, bids: dict[str, float]) -> int:
    """Change bids of a live reply; the index of the first token they count for.

    Raises as `stream_chat`.
    """
    path = f"/v1/replies/{quote(conv_id, safe='')}/bids"
    address = url.rstrip("/") + path
    response = httpx.put(address, json={"bids": bids}, headers=auth(), timeout=_TIMEOUT)
    if response.status_code != httpx.codes.OK:
        raise http_error(response.status_code, response.content)
    return int(response.json()["applied_from"])


def click(
    url: str,
    conv_id: str,
    request_id: str,
    advertiser: str,
    *,
    clicks: int = 1,
    impressions: int = 1,
    dwell_ms: int = 0,
    session_id: str | None = None,
) -> str:
    """Tell what a reader did with an advertiser's part of a reply; the record's id.

    It is on disk when this returns. Each call adds a line with the same id; of several for one
    reply and advertiser the last counts. Raises as `stream_chat`.

    Args:
        impressions: readers it was shown to, more than one where a simulator answers for many.
        dwell_ms: how long they stayed, in all.
        session_id: the shop session it comes from, where the chat did not name it.
    """
    body: JSON = {
        "conv_id": conv_id,
        "request_id": request_id,
        "advertiser": advertiser,
        "impressions": impressions,
        "clicks": clicks,
        "dwell_ms": dwell_ms,
    }
    if session_id is not None:
        body["session_id"] = session_id
    address = url.rstrip("/") + "/v1/clicks"
    response = httpx.post(address, json=body, headers=auth(), timeout=_TIMEOUT)
    if response.status_code != httpx.codes.OK:
        raise http_error(response.status_code, response.content)
    return str(response.json()["event_id"])


def explain(url: str, context: str | Messages, ad: str) -> JSON:
    """Which of the ad's tokens its predicted value comes from; the answer of `/v1/explain`.

    Raises as `stream_chat`. The first call starts a worker: that takes seconds.
    """
    asked = {"context": context} if isinstance(context, str) else {"messages": list(context)}
    address = url.rstrip("/") + "/v1/explain"
    body = {**asked, "ad": ad}
    response = httpx.post(address, json=body, headers=auth(), timeout=_PATIENT)
    if response.status_code != httpx.codes.OK:
        raise http_error(response.status_code, response.content)
    return dict(response.json())


def auth() -> dict[str, str]:
    """The API key of `SKYNET_API_KEY`, as a header, if it is set."""
    key = os.environ.get("SKYNET_API_KEY")
    return {"authorization": f"Bearer {key}"} if key else {}


def http_error(status: int, body: bytes) -> ReplyError:
    """An error answer as an exception, whatever stands between us and the gateway said."""
    try:
        error = json.loads(body)["error"]
    except (ValueError, KeyError, TypeError):
        error = {"code": "http_error", "message": f"The gateway answered {status}."}
    return ReplyError(error, status)


def _chat(url: str) -> str:
    return url.rstrip("/") + "/v1/chat/completions"
