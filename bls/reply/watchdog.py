# SPDX-License-Identifier: Apache-2.0
"""One thread that has replies ended which are late or whose reader has gone.

It only looks. Each end runs on a thread of its own, because it waits for the model: one that hangs
must not take the deadline from the other replies.
"""

from __future__ import annotations

import itertools
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

_LOG = logging.getLogger(__name__)
PERIOD_S = 0.1
STOP_S = 5.0
"""`close` waits no longer than this."""


@dataclass(frozen=True)
class Watched:
    """What to look at: a `time.monotonic` deadline, a question, and how to end the reply."""

    deadline: float
    cancelled: Callable[[], bool]
    abort: Callable[[str], None]


class Watchdog:
    """Looks at every watched reply each `PERIOD_S` seconds; has each ended at most once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._keys = itertools.count()
        self._watched: dict[int, Watched] = {}
        self._ending: dict[int, threading.Thread] = {}
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watchdog", daemon=True)
        self._thread.start()

    @contextmanager
    def watching(self, watched: Watched) -> Iterator[None]:
        """Watch while the block runs."""
        with self._lock:
            key = next(self._keys)
            self._watched[key] = watched
        try:
            yield
        finally:
            with self._lock:
                del self._watched[key]

    def close(self) -> None:
        """Look no more; wait `STOP_S` at most for replies that are being ended."""
        self._done.set()
        until = time.monotonic() + STOP_S
        self._thread.join(timeout=STOP_S)
        with self._lock:
            ending = list(self._ending.values())
        for thread in ending:
            thread.join(timeout=max(0.0, until - time.monotonic()))

    def _run(self) -> None:
        while not self._done.wait(PERIOD_S):
            self._look()

    def _look(self) -> None:
        """In a frame of its own: a name left over in the thread's frame would keep the last reply,
        its text and its response sender until the next one comes."""
        with self._lock:
            watched = dict(self._watched)
            over = [k for k, t in self._ending.items() if k not in watched and not t.is_alive()]
            for key in over:
                del self._ending[key]
        for key in watched.keys() - self._ending.keys():
            try:
                self._judge(key, watched[key])
            except Exception:  # of one reply: the others keep their deadlines
                _LOG.exception("a reply could not be looked at")

    def _judge(self, key: int, reply: Watched) -> None:
        if reply.cancelled():
            reason = "cancelled"
        elif time.monotonic() > reply.deadline:
            reason = "deadline"
        else:
            return
        thread = threading.Thread(target=_end, args=(reply, reason), name="reply-end", daemon=True)
        thread.start()
        with self._lock:
            self._ending[key] = thread


def _end(reply: Watched, reason: str) -> None:
    try:
        reply.abort(reason)
    except Exception:
        _LOG.exception("a reply could not be ended")
