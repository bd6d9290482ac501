# SPDX-License-Identifier: Apache-2.0
"""`click.logs`: what readers did, chained and synced like every billing record.

A stream with a writer of its own, beside the token ledger's and under another lock: clicks reach
the gateway, not the server. `put` returns when the record is on disk; records that come together
share one sync.
"""

from __future__ import annotations

import asyncio
import fcntl
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import IO

import orjson

from bls.errors import SkynetError
from bls.limits import LIMITS, Limits
from bls.settlement.record import VERSION
from bls.settlement.segments import Appender

CLICKS = "click.logs"
_LOCK = "clicks.lock"
_WAITING = 1_024


class ClickBook:
    """One per process; opened with the first click. Only its own thread touches the files.

    Args:
        folder: log folder; None refuses every click.
    """

    def __init__(self, folder: Path | None, limits: Limits = LIMITS) -> None:
        self._folder = folder
        self._limits = limits
        self._appender: Appender | None = None
        self._lock: IO[bytes] | None = None
        self._waiting: list[bytes] = []
        self._taken = self._kept = 0
        self._changing = threading.Lock()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="clicks")

    async def put(self, click: Mapping[str, object]) -> None:
        """Record one click; returns when it is on disk. Raises `clicks_stalled`.

        A refused click may have been recorded all the same; it has an id, so send it again.
        """
        if self._folder is None or len(self._waiting) >= _WAITING:
            raise _stalled()
        line = orjson.dumps({"v": VERSION, "ts": round(time.time(), 6), **click})
        with self._changing:
            self._waiting.append(line)
            self._taken += 1
            number = self._taken
        loop = asyncio.get_running_loop()
        try:
            await loop.run_in_executor(self._thread, self._commit, number, self._folder)
        except OSError:
            raise _stalled() from None

    def close(self) -> None:
        """Nothing waits any more; release the files."""
        self._thread.shutdown()
        if self._appender is not None:
            with suppress(OSError):
                self._appender.close()
        if self._lock is not None:
            self._lock.close()

    def _commit(self, number: int, folder: Path) -> None:
        """Until record `number` is on disk. Raises `OSError`; it still waits then, and a later
        commit writes it."""
        if number <= self._kept:
            return
        appender = self._open(folder)
        appender.write()  # what an earlier fault left
        with self._changing:
            bodies, self._waiting = self._waiting, []
            last = self._taken
        appender.add(bodies)
        appender.write()
        appender.sync()
        self._kept = last

    def _open(self, folder: Path) -> Appender:
        if self._lock is None:
            folder.mkdir(parents=True, exist_ok=True)
            lock = (folder / _LOCK).open("ab")
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                lock.close()
                raise
            self._lock = lock
        if self._appender is None:
            size = self._limits.ledger_segment_bytes
            self._appender = Appender(folder, CLICKS, size)
        return self._appender


def _stalled() -> SkynetError:
    return SkynetError("clicks_stalled", "Clicks cannot be recorded now; send it again.", 503)
