# SPDX-License-Identifier: Apache-2.0
"""Gathers a reply's events into one `chat.completion` for callers that do not stream."""

from __future__ import annotations

import time
from typing import Any

import orjson

from bls.errors import internal
from client.gateway.chunks import auction, disclosure, openai_reason, usage
from client.gateway.events import End, Event, Start, Token


class Completion:
    """Feed it events, then take the body."""

    def __init__(self, reply_id: str, model: str):
        self._reply_id, self._model = reply_id, model
        self._created = int(time.time())
        self._text: list[str] = []
        self._tokens: list[dict[str, Any]] = []
        self._start: Start | None = None
        self._end: End | None = None

    def add(self, event: Event) -> None:
        """Take the next event."""
        if isinstance(event, Token):
            self._text.append(event.text)
            rows = self._start.rows if self._start else ()
            self._tokens.append({"text": event.text, **auction(event, rows)})
        elif isinstance(event, Start):
            self._start = event
        else:
            self._text += [event.text, disclosure(event.receipt)]
            self._end = event

    def body(self) -> bytes:
        """The whole answer as JSON."""
        start, end = self._start, self._end
        if start is None or end is None:
            raise internal()
        message = {"role": "assistant", "content": "".join(self._text), "refusal": None}
        reason = openai_reason(end.finish_reason)
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": reason}
        extra = {
            "conv_id": start.conv_id,
            "rows": start.rows,
            "truncated": start.truncated,
            "bids": start.bids,
            "prelude": start.prelude,
            "tokens": self._tokens,
            "receipt": end.receipt,
        }
        return orjson.dumps(
            {
                "id": self._reply_id,
                "object": "chat.completion",
                "created": self._created,
                "model": self._model,
                "choices": [choice],
                "usage": usage(end.receipt),
                "skynet": extra,
            }
        )
