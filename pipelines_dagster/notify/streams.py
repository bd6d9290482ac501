# SPDX-License-Identifier: Apache-2.0
"""JSONL log streams of the pipelines, a file each, named as in the seeds.

A pipeline writes few lines and each counts: a line is appended in one write, at once, so several
processes share a file and a crash loses none. (`bls.jsonlog` makes the other trade.)
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import orjson

_OPTIONS = orjson.OPT_APPEND_NEWLINE | orjson.OPT_SERIALIZE_NUMPY


class Streams:
    """`write` from anywhere."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, stream: str, **fields: object) -> None:
        """Append one line; `ts` (Unix seconds) is added."""
        self.folder.mkdir(parents=True, exist_ok=True)
        line = orjson.dumps({"ts": round(time.time(), 6), **fields}, default=str, option=_OPTIONS)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        descriptor = os.open(self.folder / stream, flags, 0o644)
        try:
            os.write(descriptor, line)
        finally:
            os.close(descriptor)
