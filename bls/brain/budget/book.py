# SPDX-License-Identifier: Apache-2.0
"""The append-only file behind the budgets: one chained JSON line per hold and per settlement.

    {"v": 1, "op": "hold", "advertiser": ..., "flight": start, "key": ..., "micros": 900, "ts": ...}
    {"v": 1, "op": "settle", ...}, at most what was held; 0 releases it

A torn last line was never acted on and is cut off. Anything else that is not exactly what was
written makes the file damaged: then nobody knows what was spent, and nothing may be.
"""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path
from typing import Annotated, Literal

import orjson
from pydantic import Field, ValidationError

from bls.brain.budget.flight import MICROS_MAX
from bls.errors import SkynetError
from bls.request import Strict
from bls.settlement.chain import GENESIS, follows, link, seal, split

_LOCK_WAIT_S = 10.0
_SYNC_S = 1.0


class Line(Strict):
    """One line without its chain."""

    v: Literal[1] = 1
    op: Literal["hold", "settle"]
    advertiser: str
    flight: Annotated[int, Field(ge=0)]
    key: str
    micros: Annotated[int, Field(ge=0, le=MICROS_MAX)]
    ts: float


class DamagedError(Exception):
    """The file is not what was written to it."""


class Book:
    """One writer per file. Not thread-safe.

    Raises:
        SkynetError: `budgets_locked` when another process has the file.
        DamagedError: as above.
        OSError: it cannot be opened or read.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        self._chain = GENESIS
        self._synced_at = time.monotonic()
        try:
            _lock(self._descriptor)
            content = path.read_bytes()
            self._size = content.rfind(b"\n") + 1
            self.lines = self._parse(content[: self._size])
            os.ftruncate(self._descriptor, self._size)
        except BaseException:
            os.close(self._descriptor)
            raise

    def append(self, line: Line) -> None:
        """Write a line, whole or not at all. Raises `OSError`; the file is as before."""
        body = orjson.dumps(line.model_dump())
        chain = link(self._chain, body)
        sealed = seal(body, chain)
        try:
            if os.write(self._descriptor, sealed) != len(sealed):
                raise OSError("short write")
        except OSError:
            os.ftruncate(self._descriptor, self._size)
            raise
        self._chain, self._size = chain, self._size + len(sealed)

    def sync(self) -> None:
        """Now and then: what was written survives a crash of the machine."""
        if time.monotonic() - self._synced_at >= _SYNC_S:
            self._synced_at = time.monotonic()
            os.fdatasync(self._descriptor)

    def close(self) -> None:
        os.fdatasync(self._descriptor)
        os.close(self._descriptor)

    def _parse(self, content: bytes) -> list[Line]:
        lines = []
        for number, raw in enumerate(content.split(b"\n")[:-1], 1):
            parts = split(raw)
            if parts is None or not follows(self._chain, *parts):
                raise DamagedError(f"line {number}")
            self._chain = parts[1]
            try:
                lines.append(Line.model_validate_json(parts[0]))
            except ValidationError:
                raise DamagedError(f"line {number}") from None
        return lines


def _lock(descriptor: int) -> None:
    """A server that is just ending lets go soon."""
    deadline = time.monotonic() + _LOCK_WAIT_S
    while True:
        try:
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            if time.monotonic() > deadline:
                raise SkynetError(
                    "budgets_locked", "Another server spends these budgets.", 500
                ) from None
            time.sleep(0.1)
