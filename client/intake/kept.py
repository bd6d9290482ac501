# SPDX-License-Identifier: Apache-2.0
"""Rewrites on disk: a product that did not change is not sent again, so the same file twice gives
the same texts, and an import that was cut off does not pay twice.

A line is appended whole; one that a crash tore is not read.
"""

from __future__ import annotations

import json
import threading
from pathlib import Path


def rewrites_file(state: Path) -> Path:
    """Where texts of a rewriting endpoint are kept."""
    return state / "creatives" / "rewrites.jsonl"


class KeptRewrites:
    """Texts by the hash of what was asked. Usable from several threads."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._texts = {str(one["key"]): str(one["text"]) for one in _lines(path)}

    def get(self, key: str) -> str | None:
        return self._texts.get(key)

    def put(self, key: str, msg_id: str, text: str) -> None:
        """Keep it for good."""
        line = json.dumps({"key": key, "msg_id": msg_id, "text": text}).encode() + b"\n"
        with self._lock:
            self._texts[key] = text
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("ab") as file:
                file.write(line)


def forget(path: Path, msg_ids: frozenset[str]) -> int:
    """Take out what was written for these creatives; how many texts."""
    before = _lines(path)
    left = [one for one in before if one["msg_id"] not in msg_ids]
    if len(left) < len(before):
        fresh = path.with_suffix(".new")
        fresh.write_text("".join(json.dumps(one) + "\n" for one in left))
        fresh.replace(path)
    return len(before) - len(left)


def _lines(path: Path) -> list[dict[str, str]]:
    found = []
    for line in path.read_bytes().splitlines() if path.is_file() else ():
        try:
            one = json.loads(line)
            found.append({name: str(one[name]) for name in ("key", "msg_id", "text")})
        except (ValueError, KeyError, TypeError):
            continue
    return found
