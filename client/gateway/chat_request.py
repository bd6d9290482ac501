# SPDX-License-Identifier: Apache-2.0
"""OpenAI's chat request, and its translation into the `ReplyRequest` that Triton gets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

import orjson
from pydantic import Field, ValidationError

from bls.errors import SkynetError, invalid
from bls.limits import LIMITS
from bls.request import (
    AuctionOptions,
    Identifier,
    ReplyRequest,
    Strict,
    from_validation,
    parse_request,
)
from client.gateway.fields import served_fields
from client.gateway.messages import Turn, read_messages

Tokens = Annotated[int, Field(ge=1, le=LIMITS.output_tokens)]


class StreamOptions(Strict):
    """OpenAI's `stream_options`."""

    include_usage: bool = False


class SkynetOptions(AuctionOptions):
    """Our one extra request field: how this reply's tokens are sold, and its ids.

    Attributes:
        session_id: of the shop session the chat belongs to; left out, it is the one that the chat
            named before, if that was not long ago. What is thought of it is the gateway's to know:
            `agent_probability` is refused like any unknown field.
    """

    conv_id: Identifier | None = None
    session_id: Identifier | None = None
    deadline_ms: Annotated[int, Field(ge=1, le=LIMITS.deadline_ms)] = LIMITS.deadline_ms


class ChatRequest(Strict):
    """The served fields of a chat request, messages aside; see `fields` for the others."""

    model: Annotated[str, Field(min_length=1, max_length=128)]
    stream: bool = False
    stream_options: StreamOptions | None = None
    max_tokens: Tokens | None = None
    max_completion_tokens: Tokens | None = None
    temperature: Annotated[float, Field(ge=0, le=LIMITS.temperature_max)] | None = None
    seed: Annotated[int, Field(ge=0, lt=2**63)] | None = None
    stop: Annotated[tuple[str, ...], Field(max_length=LIMITS.stop_strings)] | None = None
    user: Annotated[str, Field(max_length=256)] | None = None
    skynet: SkynetOptions = SkynetOptions()


@dataclass(frozen=True)
class Chat:
    """A checked chat request and what it asks of the server."""

    model: str
    stream: bool
    include_usage: bool
    request: ReplyRequest


@dataclass(frozen=True)
class Ids:
    """What the gateway adds to a request of its own.

    Attributes:
        session: the shop session that a chat counts with, see `client.gateway.chats.Chats.session`.
        score: f(tau) of a chat with one, see `Chats.score`.
    """

    request_id: str
    conv_id: str
    traceparent: str | None = None
    session: Callable[[str, str | None], str | None] = lambda conv_id, named: named
    score: Callable[[str, str], float | None] = lambda conv_id, session_id: None


def names_session(body: dict[str, Any]) -> bool:
    """Whether a body, not checked yet, names a shop session."""
    options = body.get("skynet")
    return isinstance(options, dict) and options.get("session_id") is not None


def read_chat(body: dict[str, Any], models: tuple[str, ...], ids: Ids) -> Chat:
    """Check a JSON body and translate it. Raises `SkynetError` naming the first fault."""
    fields = served_fields(body)
    if "messages" not in fields:
        raise invalid("missing_field", "This field is required.", "messages")
    turns = read_messages(fields.pop("messages"))
    if isinstance(fields.get("stop"), str):
        fields["stop"] = [fields["stop"]]
    try:
        chat = ChatRequest.model_validate_json(orjson.dumps(fields))
    except ValidationError as error:
        raise from_validation(error) from None
    _check(chat, models)
    usage = chat.stream_options is not None and chat.stream_options.include_usage
    return Chat(chat.model, chat.stream, usage, _reply_request(chat, turns, ids))


def _check(chat: ChatRequest, models: tuple[str, ...]) -> None:
    if chat.model not in models:
        raise SkynetError("model_not_found", "No such model is served here.", 404, "model")
    if chat.stream_options is not None and not chat.stream:
        raise invalid("invalid_value", "Only allowed with stream: true.", "stream_options")
    both = {chat.max_tokens, chat.max_completion_tokens} - {None}
    if len(both) > 1:
        raise invalid("invalid_value", "Differs from max_tokens.", "max_completion_tokens")


def _reply_request(chat: ChatRequest, turns: list[Turn], ids: Ids) -> ReplyRequest:
    options = chat.skynet.model_dump(exclude={"conv_id", "session_id", "deadline_ms"})
    conv_id = chat.skynet.conv_id or ids.conv_id
    session_id = ids.session(conv_id, chat.skynet.session_id)
    fields: dict[str, Any] = {
        "request_id": ids.request_id,
        "conv_id": conv_id,
        "messages": turns,
        "max_tokens": chat.max_completion_tokens or chat.max_tokens,
        "temperature": LIMITS.temperature_min if chat.temperature == 0 else chat.temperature,
        "seed": chat.seed,
        "stop": chat.stop,
        "deadline_ms": chat.skynet.deadline_ms,
        "user": chat.user,
        "traceparent": ids.traceparent,
        "auction": options,
        "session_id": session_id,
        "agent_probability": None if session_id is None else ids.score(conv_id, session_id),
    }
    return parse_request(orjson.dumps({k: v for k, v in fields.items() if v is not None}))
