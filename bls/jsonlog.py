# SPDX-License-Identifier: Apache-2.0
"""JSONL log streams that never hold up a reply: a bounded queue, a thread, rotated files.

One file per stream under `<state>/logs`, named as in the seeds (`vcg.log`, `e2e.trace`, ...). A
full queue drops the line and counts it.
"""

from __future__ import annotations

import json
import logging
import logging.handlers
import queue
import time
from pathlib import Path

_MAX_BYTES = 64 * 1024 * 1024
_KEPT = 3


class _Dropping(logging.handlers.QueueHandler):
    """Counts what does not fit instead of raising."""

    dropped = 0

    def enqueue(self, record: logging.LogRecord) -> None:
        try:
            self.queue.put_nowait(record)
        except queue.Full:
            self.dropped += 1

    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
        return record


class _Files(logging.Handler):
    """Writes each record to the file of its stream; runs on the listener's thread."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder
        self._open: dict[str, logging.Handler] = {}

    def emit(self, record: logging.LogRecord) -> None:
        fields = record.__dict__["fields"]
        record.msg, record.args = json.dumps(fields, separators=(",", ":")), None
        self._file(record.name).emit(record)

    def _file(self, stream: str) -> logging.Handler:
        if stream not in self._open:
            self._open[stream] = logging.handlers.RotatingFileHandler(
                self._folder / stream, maxBytes=_MAX_BYTES, backupCount=_KEPT, encoding="utf-8"
            )
        return self._open[stream]

    def close(self) -> None:
        for handler in self._open.values():
            handler.close()
        super().close()


class JsonLog:
    """`write(stream, **fields)` from any thread; `close` flushes."""

    def __init__(self, folder: Path, size: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        records: queue.Queue[logging.LogRecord] = queue.Queue(size)
        self._handler = _Dropping(records)
        self._files = _Files(folder)
        self._listener = logging.handlers.QueueListener(records, self._files)
        self._listener.start()

    @property
    def dropped(self) -> int:
        return self._handler.dropped

    def write(self, stream: str, **fields: object) -> None:
        """Queue one line; `ts` (Unix seconds) is added."""
        record = logging.LogRecord(stream, logging.INFO, "", 0, "", None, None)
        record.__dict__["fields"] = {"ts": round(time.time(), 6), **fields}
        self._handler.handle(record)

    def close(self) -> None:
        self._listener.stop()
        self._files.close()
