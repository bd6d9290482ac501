# SPDX-License-Identifier: Apache-2.0
"""Chained, synced streams of a process that is asked over HTTP: it answers when it is on disk.

Beside the token ledger's and under another lock, for these records reach the gateway, not the
server. Records that come together share one sync. What is added is written in that order, also
after a fault of the disk: then it waits, and the next commit writes it.
"""

from __future__ import annotations

import asyncio
import fcntl
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import IO

from bls.limits import LIMITS, Limits
from bls.settlement.segments import Appender

WAITING = 1_024
"""Lines that may wait for the disk."""


class Spool:
    """One per process and lock; opened with the first commit. Only its own thread touches files.

    Args:
        folder: log folder.
        lock: name of the file that says who writes.
        waiting: lines that may wait.
    """

    def __init__(
        self,
        folder: Path,
        streams: Sequence[str],
        lock: str,
        limits: Limits = LIMITS,
        waiting: int = WAITING,
    ) -> None:
        self._folder, self._streams, self._lock_name = folder, tuple(streams), lock
        self._segment_bytes, self._most = limits.ledger_segment_bytes, waiting
        self._appenders: dict[str, Appender] = {}
        self._lock: IO[bytes] | None = None
        self._waiting: list[tuple[str, bytes]] = []
        self._taken = self._kept = 0
        self._changing = threading.Lock()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=lock.partition(".")[0])

    def has_room(self, count: int = 1) -> bool:
        """Whether so many more lines may wait."""
        return len(self._waiting) + count <= self._most

    def add(self, lines: Sequence[tuple[str, bytes]]) -> None:
        """Lines by stream, each a JSON object without its newline; `commit` writes them."""
        with self._changing:
            self._waiting += lines
            self._taken += len(lines)

    async def commit(self) -> None:
        """Everything added so far is on disk when this returns. Raises `OSError`."""
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._thread, self._commit, self._taken)

    async def open(self) -> None:
        """Take the lock and the files. Raises `OSError` while another process has them."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._open)

    def close(self) -> None:
        """Nothing waits any more; release the files."""
        self._thread.shutdown()
        for appender in self._appenders.values():
            with suppress(OSError):
                appender.close()
        if self._lock is not None:
            self._lock.close()

    def _commit(self, number: int) -> None:
        """Until line `number` is on disk. Raises `OSError`; it still waits then, and a later
        commit writes it."""
        if number <= self._kept:
            return
        self._open()
        for appender in self._appenders.values():
            appender.write()  # what an earlier fault left
        with self._changing:
            lines, self._waiting = self._waiting, []
            last = self._taken
        for stream in self._streams:
            self._appenders[stream].add([body for name, body in lines if name == stream])
        for appender in self._appenders.values():
            appender.write()
        for appender in self._appenders.values():
            appender.sync()
        self._kept = last

    def _open(self) -> None:
        if self._lock is None:
            self._folder.mkdir(parents=True, exist_ok=True)
            lock = (self._folder / self._lock_name).open("ab")
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                lock.close()
                raise
            self._lock = lock
        for stream in self._streams:
            if stream not in self._appenders:
                self._appenders[stream] = Appender(self._folder, stream, self._segment_bytes)
