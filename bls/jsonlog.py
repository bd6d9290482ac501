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
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

import orjson

from bls.settlement.segments import active_number, numbered, open_whole, sealed_path

Fields = Mapping[str, object]

_MAX_BYTES = 64 * 1024 * 1024
_KEPT = 3
_CLOSE_S = 10.0
_COUNTED = 1 << 20
_OPTIONS = orjson.OPT_APPEND_NEWLINE | orjson.OPT_SERIALIZE_NUMPY


class JsonLog:
    """`write` and `write_many` from any thread; `close` flushes. `dropped` counts lost lines."""

    def __init__(self, folder: Path, size: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.dropped = 0
        self._folder = folder
        self._open: dict[str, IO[bytes]] = {}
        self._held: Counter[str] = Counter()  # lines since the last flush
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
        with suppress(queue.Full):
            self._queue.put(None, timeout=_CLOSE_S)
        self._thread.join(timeout=_CLOSE_S)

    def _run(self) -> None:
        while (lines := self._queue.get()) is not None:
            for stream, fields in lines:
                self._write(stream, fields)
            if self._queue.empty():
                for stream in tuple(self._open):
                    self._flush(stream)
        for stream in tuple(self._open):
            self._shut(stream)

    def _write(self, stream: str, fields: Fields) -> None:
        """One line, or one more that is dropped: a full disk must not end the thread."""
        try:
            line = orjson.dumps(fields, option=_OPTIONS)
        except TypeError:  # not JSON
            self.dropped += 1
            return
        try:
            self._file(stream).write(line)
            self._held[stream] += 1
        except OSError:
            self.dropped += 1
            self._shut(stream)

    def _flush(self, stream: str) -> None:
        try:
            self._open[stream].flush()
            self._held[stream] = 0
        except OSError:
            self._shut(stream)

    def _shut(self, stream: str) -> None:
        """The next line opens the file anew. Lines that cannot be written any more are counted."""
        file, held = self._open.pop(stream, None), self._held.pop(stream, 0)
        try:
            if file is not None:
                file.close()
        except OSError:
            self.dropped += held

    def _file(self, stream: str) -> IO[bytes]:
        file = self._open.get(stream)
        if file is not None and file.tell() > _MAX_BYTES:
            self._shut(stream)
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
    return _removed(folder, stream)[1]


def count_lines(path: Path, end: int | None = None) -> int:
    """Newlines of a file, or of its first `end` bytes. Raises `OSError`."""
    left, found = path.stat().st_size if end is None else end, 0
    with path.open("rb") as file:
        while left > 0 and (part := file.read(min(left, _COUNTED))):
            left -= len(part)
            found += part.count(b"\n")
    return found


def _removed(folder: Path, stream: str) -> tuple[int, int]:
    """The newest file that is gone, and the lines of all such; zeros: none."""
    try:
        note = orjson.loads((folder / f"{stream}.removed").read_bytes())
        return int(note["segment"]), int(note["lines"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0, 0


def _note_removed(folder: Path, stream: str, number: int, path: Path) -> None:
    """Written before the file goes, so that no line is gone that is not counted."""
    segment, before = _removed(folder, stream)
    if segment == number:  # a crash came between the note and the removal
        return
    total = before + count_lines(path)
    note = folder / f"{stream}.removed.new"
    note.write_bytes(orjson.dumps({"segment": number, "lines": total}))
    note.replace(folder / f"{stream}.removed")
