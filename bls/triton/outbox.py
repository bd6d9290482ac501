# SPDX-License-Identifier: Apache-2.0
"""Sends events on a thread of its own, so that a reply can ask for its next token meanwhile.

First in, first out over all replies: a stream's FINAL can never overtake its tokens. Bounded by
what is live: at most `Limits.streams` replies of `Limits.output_tokens` events each.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable

_POLITE_S = 0.0005


class Outbox:
    """`put` work from any thread; it is done in order. What raises goes to `failed`."""

    def __init__(self, failed: Callable[[Exception], None]) -> None:
        self._failed = failed
        self._work: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="outbox", daemon=True)
        self._thread.start()

    def put(self, work: Callable[[], None]) -> None:
        self._work.put(work)

    def close(self) -> None:
        """Do what is queued, then end."""
        self._work.put(None)
        self._thread.join(timeout=10)

    def _next(self) -> Callable[[], None] | None:
        """In order; after a rest, lets the reply that ended it ask for its next token first."""
        if self._work.empty():
            work = self._work.get()
            time.sleep(_POLITE_S)
            return work
        return self._work.get()

    def _run(self) -> None:
        while (work := self._next()) is not None:
            try:
                work()
            except Exception as fault:  # the server closed this stream; the others go on
                self._failed(fault)
            del work  # keeps no sender alive while it waits
