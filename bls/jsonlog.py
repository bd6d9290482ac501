# SPDX-License-Identifier: Apache-2.0
"""JSONL log streams that never hold up a reply: a bounded queue, a thread, sealed files.

One file per stream under `<state>/logs`, named as in the seeds (`mpc.decisions`, `alerts`, ...).
Lines are handed over in batches; a full queue drops the batch and counts its lines. A full file is
sealed as `mpc.decisions.000001`, `.000002`, ..., as billing streams are, but only the newest three
are kept; `mpc.decisions.removed` says up to which number they are gone and how many lines that was.
"""

from __future__ import annotations

import os
import queue
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

import orjson

from bls.settlement.segments import active_number, numbered, open_whole, sealed_path

Fields = Mapping[str, object]

_MAX_BYTES = 64 * 1024 * 1024
_KEPT = 3
_COUNTED = 1 << 20
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
            self._seal(stream)
            file = None
        if file is None:
            descriptor, _ = open_whole(self._folder / stream)
            file = self._open[stream] = os.fdopen(descriptor, "ab")
        return file

    def _seal(self, stream: str) -> None:
        """The full file gets its number; the oldest go."""
        number = active_number(self._folder, stream)
        with suppress(FileNotFoundError):  # taken away meanwhile
            (self._folder / stream).rename(sealed_path(self._folder, stream, number))
        for old, path in numbered(self._folder, stream)[:-_KEPT]:
            _note_removed(self._folder, stream, old, path)
            path.unlink(missing_ok=True)


def removed_lines(folder: Path, stream: str) -> int:
    """How many lines of a stream were in files that are gone."""
    try:
        return int(orjson.loads((folder / f"{stream}.removed").read_bytes())["lines"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0


def count_lines(path: Path, end: int | None = None) -> int:
    """Newlines of a file, or of its first `end` bytes. Raises `OSError`."""
    left, found = path.stat().st_size if end is None else end, 0
    with path.open("rb") as file:
        while left > 0 and (part := file.read(min(left, _COUNTED))):
            left -= len(part)
            found += part.count(b"\n")
    return found


def _note_removed(folder: Path, stream: str, number: int, path: Path) -> None:
    """Written before the file goes, so that no line is gone that is not counted."""
    total = removed_lines(folder, stream) + count_lines(path)
    note = folder / f"{stream}.removed.new"
    note.write_bytes(orjson.dumps({"segment": number, "lines": total}))
    note.replace(folder / f"{stream}.removed")
