# SPDX-License-Identifier: Apache-2.0
"""Creatives that must never be chosen again, for the index and for whoever embeds them.

A list on disk, `<state>/creatives/erased.jsonl`, that erasure requests append to: an index drops
these at once, and a rebuilt one never has them, whatever the database says. The ids are in clear,
to be compared; they name a text, no person.
"""

from __future__ import annotations

import os
from pathlib import Path

import orjson

from bls.settings import Settings


class ErasedCreatives:
    """The list."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int, int] | None = None
        self._read: frozenset[str] = frozenset()

    def delete(self, msg_id: str) -> bool:
        """Never give this creative again; False when that was so already."""
        if msg_id in self.read():
            return False
        self._path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            os.write(descriptor, orjson.dumps({"msg_id": msg_id}) + b"\n")
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        return True

    def read(self) -> frozenset[str]:
        """Every id on the list; a torn last line is none."""
        if not self._path.is_file():
            return frozenset()
        found = set()
        for line in self._path.read_bytes().splitlines():
            try:
                found.add(str(orjson.loads(line)["msg_id"]))
            except (orjson.JSONDecodeError, KeyError, TypeError):
                continue
        return frozenset(found)

    def current(self) -> frozenset[str]:
        """The same, read again only when the file has changed."""
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return self._read
        state = found.st_ino, found.st_size, found.st_mtime_ns
        if state != self._seen:
            self._read, self._seen = self.read(), state
        return self._read


def erased_creatives(settings: Settings) -> ErasedCreatives:
    return ErasedCreatives(settings.state / "creatives" / "erased.jsonl")
