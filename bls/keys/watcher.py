# SPDX-License-Identifier: Apache-2.0
"""One daemon thread that looks at many things and says which have changed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from dataclasses import dataclass

Stop = Callable[[], None]
_JOIN_S = 5.0


@dataclass
class _Watched:
    probe: Callable[[], Hashable]
    changed: Callable[[], bool]
    seen: Hashable
    settled: bool = True


class Watcher:
    """`add` from any thread; the thread starts with the first one.

    Args:
        period_s: between two looks.
    """

    def __init__(self, period_s: float) -> None:
        self._period_s = period_s
        self._watched: list[_Watched] = []
        self._lock = threading.Lock()
        self._done = threading.Event()
        self._thread: threading.Thread | None = None

    def add(self, probe: Callable[[], Hashable], changed: Callable[[], bool]) -> Stop:
        """Call `changed` whenever `probe` answers something else, and again after each False.

        Neither may raise. Returns what ends it.
        """
        watched = _Watched(probe, changed, probe())
        with self._lock:
            self._watched.append(watched)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="keys", daemon=True)
                self._thread.start()
        return lambda: self._remove(watched)

    def close(self) -> None:
        self._done.set()
        if self._thread is not None:
            self._thread.join(_JOIN_S)

    def _remove(self, watched: _Watched) -> None:
        with self._lock:
            self._watched = [other for other in self._watched if other is not watched]

    def _run(self) -> None:
        while not self._done.wait(self._period_s):
            with self._lock:
                watched = tuple(self._watched)
            for one in watched:
                if (now := one.probe()) != one.seen or not one.settled:
                    one.seen = now
                    one.settled = one.changed()
