# SPDX-License-Identifier: Apache-2.0
"""Splits a byte stream into server-sent events and reads their JSON.

Works on bytes: a text-line splitter would also cut at U+2028 and friends inside a token.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from client.replies import ReplyError


class Decoder:
    """Feed it bytes as they come; it yields the JSON of each whole event."""

    def __init__(self) -> None:
        self._rest = b""
        self.done = False

    def feed(self, data: bytes) -> Iterator[dict[str, Any]]:
        """JSON objects completed by `data`. Raises `ReplyError` on an error event."""
        *events, self._rest = (self._rest + data).split(b"\n\n")
        for event in events:
            if not event.startswith(b"data:"):
                continue  # a comment: heartbeat
            payload = event.removeprefix(b"data:").strip()
            if payload == b"[DONE]":
                self.done = True
                return
            yield _object(payload)

    def finish(self) -> None:
        """Call at the end of the stream. Raises `ReplyError` if it was cut short."""
        if not self.done:
            raise ReplyError({"code": "stream_cut", "message": "The stream ended early."})


def _object(payload: bytes) -> dict[str, Any]:
    value = json.loads(payload)
    if "error" in value:
        raise ReplyError(value["error"])
    return dict(value)
