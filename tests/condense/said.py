# SPDX-License-Identifier: Apache-2.0
"""A log that keeps its lines, and a summariser that says a window's first half."""

from __future__ import annotations

from typing import Any

from bls.contracts import SUMMARY_TOKENS
from bls.errors import SkynetError


class Lines:
    """`of` a stream, in order."""

    def __init__(self) -> None:
        self.all: list[tuple[str, dict[str, Any]]] = []

    def write(self, stream: str, **fields: object) -> None:
        self.all.append((stream, fields))

    def of(self, stream: str) -> list[dict[str, Any]]:
        return [fields for name, fields in self.all if name == stream]


class FirstHalf:
    """`tokens` of each window; counts the windows it was asked for; `down`: it is lost."""

    def __init__(self, tokens: int = SUMMARY_TOKENS) -> None:
        self.tokens, self.windows, self.calls, self.down = tokens, 0, 0, False

    def __call__(self, windows: list[list[int]]) -> list[list[int]]:
        if self.down:
            raise SkynetError("worker_lost", "It is gone.", 503)
        self.calls += 1
        self.windows += len(windows)
        return [window[: self.tokens] for window in windows]
