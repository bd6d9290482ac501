# SPDX-License-Identifier: Apache-2.0
"""JSONL log streams that never hold up a reply: a bounded queue, a thread, rotated files.

One file per stream under `<state>/logs`, named as in the seeds (`vcg.log`, `e2e.trace`, ...).
Lines are handed over in batches; a full queue drops the batch and counts its lines.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

import orjson

Fields = Mapping[str, object]

_MAX_BYTES = 64 * 1024 * 1024
_KEPT = 3
_OPTIONS = orjson.OPT_APPEND_NEWLINE | orjson.OPT_SERIALIZE_NUMPY


class JsonLog:
    """`write` and `write_many` from any thread; `close` flushes. `dropped` counts lost lines."""

    def __init__(self, folder: Path, size: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.dropped = 0
        self._folder = folder
        self._open: dict[str, IO[bytes]] = {}
        self._queue: queue.Queue[Sequence[tuple[str, Fields]] | None] = queue.Queue(size)
        self._thread = threading.Thread(target=self._run, name="json-log", daemon=True)
        self._thread.start()

    @property
    def lag(self) -> int:
        """Batches that wait to be written."""
        return self._queue.qsize()

    def write(self, stream: str, **fields: object) -> None:
        """Queue one line; `ts` (Unix seconds) is added."""
        self.write_many([(stream, {"ts": round(time.time(), 6), **fields})])

    def write_many(self, lines: Sequence[tuple[str, Fields]]) -> None:
        """Queue (stream, fields) lines as they are."""
        try:
            self._queue.put_nowait(lines)
        except queue.Full:
            self.dropped += len(lines)

    def close(self) -> None:
        """Write what is queued and close the files."""
        self._queue.put(None)
        self._thread.join(timeout=10)

    def _run(self) -> None:
        while (lines := self._queue.get()) is not None:
            for stream, fields in lines:
                self._file(stream).write(orjson.dumps(fields, option=_OPTIONS))
            if self._queue.empty():
                for file in self._open.values():
                    file.flush()
        for file in self._open.values():
            file.close()

    def _file(self, stream: str) -> IO[bytes]:
        file = self._open.get(stream)
        if file is not None and file.tell() > _MAX_BYTES:
            file.close()
            self._rotate(stream)
            file = None
        if file is None:
            file = self._open[stream] = (self._folder / stream).open("ab")
        return file

    def _rotate(self, stream: str) -> None:
        """stream -> stream.1 -> ... -> stream.3; the oldest goes."""
        for number in range(_KEPT, 0, -1):
            old = self._folder / (f"{stream}.{number - 1}" if number > 1 else stream)
            if old.exists():
                old.replace(self._folder / f"{stream}.{number}")
