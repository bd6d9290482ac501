# SPDX-License-Identifier: Apache-2.0
"""The append-only writer of billing records: bounded, blocking, synced; never drops a line.

Debug logs (`bls.jsonlog`) drop lines when their queue is full. Here a full queue makes the reply
wait, because a lost record is lost money; when the disk does not take records for `wait_s`, `put`
refuses and the reply ends with an error: nothing is delivered that nobody can account for.

Encoding and disk run on a thread of their own, which takes everything that waits every `_PERIOD_S`:
no wake-up per token. A crash of the process loses that much, a crash of the machine `sync_s` more.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO

from bls.errors import SkynetError
from bls.file_lock import lock_file
from bls.limits import LIMITS, Limits
from bls.settlement.record import STREAMS, Record, encode
from bls.settlement.segments import Appender

_PERIOD_S = 0.05
_BATCH = 512
"""Records encoded at once: many share the work of packing, few enough stay in the cache."""
_RETRY_S = 0.5
_LOCK_WAIT_S = 10.0
LOCK = "ledger.lock"
SEAL = "ledger.seal"
"""A file of this name in the folder asks the writer to seal its active files; it removes it."""


class Ledger:
    """`put` from any thread; `close` writes and syncs what is left.

    Attributes:
        lag: records that wait to be written.
        lost: records that could not be encoded, a fault of ours.

    Args:
        failed: told of every fault: a record that cannot be encoded, a disk that refuses.
    """

    def __init__(
        self,
        folder: Path,
        failed: Callable[[Exception], None],
        limits: Limits = LIMITS,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._lock_file = _lock(folder / LOCK)
        self._seal = folder / SEAL
        self._limits = limits
        self._failed = failed
        self._streams = {
            stream: Appender(folder, stream, limits.ledger_segment_bytes) for stream in STREAMS
        }
        self._waiting: list[Record] = []
        self._changed = threading.Condition()
        self._urgent = threading.Event()
        self._closed = False
        self._synced_at = time.monotonic()
        self.lost = 0
        self._thread = threading.Thread(target=self._run, name="ledger", daemon=True)
        self._thread.start()

    @property
    def lag(self) -> int:
        return len(self._waiting)

    def put(self, record: Record) -> None:
        """Queue a record; waits while the queue is full. Raises `ledger_stalled`."""
        with self._changed:
            if not self._has_room() and not self._changed.wait_for(
                self._has_room, self._limits.ledger_wait_s
            ):
                raise SkynetError("ledger_stalled", "Charges cannot be recorded now.", 503)
            self._waiting.append(record)
            if len(self._waiting) * 2 == self._limits.ledger_queue:
                self._urgent.set()

    def _has_room(self) -> bool:
        return len(self._waiting) < self._limits.ledger_queue and not self._closed

    def close(self) -> None:
        """Write what is queued, sync, close. Gives up on a disk that fails."""
        self._closed = True
        self._urgent.set()
        self._thread.join(timeout=10)
        self._lock_file.close()

    def _run(self) -> None:
        closing = False
        while not closing:
            self._urgent.wait(_PERIOD_S)
            closing = self._closed
            self._urgent.clear()
            while self._waiting:
                self._take()
                self._sync()
            self._sync()
        self._insist(lambda stream: stream.close())

    def _take(self) -> None:
        """Encode and write the oldest that wait; only then is there room for others."""
        batch = self._waiting[:_BATCH]
        for stream, bodies in self._encode(batch).items():
            self._streams[stream].add(bodies)
        self._insist(lambda stream: stream.write())
        with self._changed:
            del self._waiting[: len(batch)]
            self._changed.notify_all()

    def _encode(self, batch: list[Record]) -> Mapping[str, list[bytes]]:
        """All lines of the batch; a record that cannot be encoded does not take others along."""
        try:
            return encode(batch)
        except Exception as fault:  # a record of ours is malformed: find it, keep the others
            if len(batch) == 1:
                self.lost += 1
                self._failed(fault)
                return {}
        parts = [self._encode([record]) for record in batch]
        return {stream: [x for part in parts for x in part.get(stream, ())] for stream in STREAMS}

    def _sync(self) -> None:
        now = time.monotonic()
        if now - self._synced_at >= self._limits.ledger_sync_s:
            self._synced_at = now
            self._insist(lambda stream: stream.sync())
            if self._seal.exists():
                self._insist(lambda stream: stream.seal())
                self._seal.unlink(missing_ok=True)

    def _insist(self, work: Callable[[Appender], None]) -> None:
        """Do `work` on every stream, again and again while the disk refuses."""
        told = False
        while True:
            try:
                for stream in self._streams.values():
                    work(stream)
                return
            except OSError as fault:
                if not told:
                    self._failed(fault)
                told = True
                if self._closed:
                    return
                time.sleep(_RETRY_S)


def _lock(path: Path) -> IO[bytes]:
    """One writer per folder: two would break each other's chain. Raises `ledger_locked`."""
    file = lock_file(path, _LOCK_WAIT_S)
    if file is None:
        raise SkynetError("ledger_locked", "Another server writes billing records here.", 500)
    return file
