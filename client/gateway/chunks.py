# SPDX-License-Identifier: Apache-2.0
"""Builds the `chat.completion.chunk` events of one reply: the other half of the hot path.

Auction data travels in one namespaced top-level field, `skynet`, which official clients keep
as an extra attribute. A number that is not finite becomes null (JSON has no infinity).
"""

from __future__ import annotations

from typing import Any

import orjson

from bls.contracts import Flag, RowStatus
from bls.errors import SkynetError
from client.gateway.errors import error_body
from client.gateway.events import End, Start, Token

DONE = b"data: [DONE]\n\n"
KEEP_ALIVE = b": keep-alive\n\n"

_SEPARATORS = tuple(
    (character.encode(), f"\\u{ord(character):04x}".encode())
    for character in ("\x85", "\u2028", "\u2029")
)
_STATUS = {status.value: status.name.lower() for status in RowStatus}
_SPONSORED, _NEAR_TIE, _POLICY = int(Flag.SPONSORED), int(Flag.NEAR_TIE), int(Flag.POLICY)
_OPENAI_REASONS = frozenset({"stop", "length", "content_filter"})


def event(data: object) -> bytes:
    """One server-sent event. Line separators outside ASCII are escaped: some clients cut there."""
    raw = orjson.dumps(data)
    if not raw.isascii():
        for character, escaped in _SEPARATORS:
            raw = raw.replace(character, escaped)
    return b"data: " + raw + b"\n\n"


def error_event(error: SkynetError, request_id: str) -> bytes:
    """An error after the stream began; official clients raise their `APIError` on it."""
    return event(error_body(error, request_id))


def openai_reason(reason: str) -> str:
    """The reason if OpenAI knows it, else `length`; the receipt keeps the true one."""
    return reason if reason in _OPENAI_REASONS else "length"


def usage(receipt: dict[str, Any]) -> dict[str, int]:
    """OpenAI's token counts."""
    prompt, completion = int(receipt["prompt_tokens"]), int(receipt["completion_tokens"])
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
    }


def disclosure(receipt: dict[str, Any]) -> str:
    """What the reader is told of paid influence, as it is appended to the reply; or ''."""
    text = receipt.get("disclosure")
    return f"\n\n{text}" if text else ""


def auction(token: Token, rows: tuple[str, ...]) -> dict[str, Any]:
    """The `skynet` field of one token. Row 0, the reference, neither bids nor pays."""
    winner = token.winner
    return {
        "index": token.index,
        "token_id": token.token_id,
        "winner": rows[winner] if 0 < winner < len(rows) else None,
        "sponsored": bool(token.flags & _SPONSORED),
        "near_tie": bool(token.flags & _NEAR_TIE),
        "policy": bool(token.flags & _POLICY),
        "margin": token.margin,
        "rows": [
            {
                "advertiser": rows[i],
                "bid": token.bid[i],
                "charge": token.charge[i],
                "critical_bid": token.critical_bid[i],
                "p_token": token.p_token[i],
                "w_minus": token.w_minus[i],
                "status": _STATUS.get(token.row_status[i], "unknown"),
            }
            for i in range(1, len(rows))
        ],
    }


class Chunks:
    """Chunks of one reply: they share id, creation time and model."""

    def __init__(self, reply_id: str, created: int, model: str):
        self._reply_id, self._created, self._model = reply_id, created, model

    def start(self, start: Start) -> bytes:
        """The first delta: the role, who bids and how much."""
        extra = {
            "conv_id": start.conv_id,
            "rows": start.rows,
            "bids": start.bids,
            "truncated": start.truncated,
            "mode": start.mode,
            "prelude": start.prelude,
        }
        if start.seed is not None:
            extra["seed"] = start.seed
        return self._chunk({"role": "assistant", "content": ""}, None, extra)

    def token(self, token: Token, rows: tuple[str, ...]) -> bytes:
        """One token and its auction."""
        return self._chunk({"content": token.text}, None, auction(token, rows))

    def text(self, text: str, extra: dict[str, Any]) -> bytes:
        """Content that is no token: held-back text, the disclosure."""
        return self._chunk({"content": text}, None, extra)

    def finish(self, end: End) -> bytes:
        """Finish reason and receipt."""
        return self._chunk({}, openai_reason(end.finish_reason), {"receipt": end.receipt})

    def usage(self, receipt: dict[str, Any]) -> bytes:
        """Token counts, with no choices, as `stream_options.include_usage` asks."""
        return event({**self._head(), "choices": [], "usage": usage(receipt)})

    def _chunk(self, delta: dict[str, str], reason: str | None, extra: dict[str, Any]) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
        return event({**self._head(), "choices": [choice], "skynet": extra})

    def _head(self) -> dict[str, Any]:
        return {
            "id": self._reply_id,
            "object": "chat.completion.chunk",
            "created": self._created,
            "model": self._model,
        }
