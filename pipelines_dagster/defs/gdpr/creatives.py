# SPDX-License-Identifier: Apache-2.0
"""Creatives that must never be chosen again, for the index and for whoever embeds them.

A list on disk, `<state>/creatives/erased.jsonl`: an index drops these when it is rebuilt and
refuses them until then. The ids are in clear, for it to compare; they name a text, no person.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Protocol

import orjson

from bls.settings import Settings

PLACE = "creatives"


class IndexHook(Protocol):
    """What holds creatives outside the lake."""

    def delete(self, msg_id: str) -> bool:
        """Never give this creative again; False when that was so already."""


class ErasedCreatives:
    """The list; an `IndexHook`."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def delete(self, msg_id: str) -> bool:
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


def erased_creatives(settings: Settings) -> ErasedCreatives:
    return ErasedCreatives(settings.state / "creatives" / "erased.jsonl")
