# SPDX-License-Identifier: Apache-2.0
"""One thread that ends replies which are late or whose reader has gone."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

PERIOD_S = 0.1


@dataclass(frozen=True)
class Watched:
    """What to look at: a `time.monotonic` deadline, a question, and how to end the reply."""

    deadline: float
    cancelled: Callable[[], bool]
    abort: Callable[[str], None]


class Watchdog:
    """Looks at every watched reply each `PERIOD_S` seconds."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._watched: dict[int, Watched] = {}
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watchdog", daemon=True)
        self._thread.start()

    @contextmanager
    def watching(self, watched: Watched) -> Iterator[None]:
        """Watch while the block runs."""
        key = id(watched)
        with self._lock:
            self._watched[key] = watched
        try:
            yield
        finally:
            with self._lock:
                del self._watched[key]

    def close(self) -> None:
        self._done.set()
        self._thread.join(timeout=5)

    def _run(self) -> None:
        while not self._done.wait(PERIOD_S):
            self._look()

    def _look(self) -> None:
        """In a frame of its own: a name left over in the thread's frame would keep the last reply,
        its text and its response sender until the next one comes."""
        with self._lock:
            watched = list(self._watched.values())
        now = time.monotonic()
        for reply in watched:
            if reply.cancelled():
                reply.abort("cancelled")
            elif now > reply.deadline:
                reply.abort("deadline")
