# SPDX-License-Identifier: Apache-2.0
"""What runs from `with` to its end: started whole or not at all, and ended whatever happened."""

from __future__ import annotations

import signal
import threading
from abc import ABC, abstractmethod
from types import FrameType, TracebackType
from typing import Self

from bls.errors import SkynetError
from client.launcher.process import Child

_WATCH_S = 0.5
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Running(ABC):
    """`__enter__` returns when it has started; a start that fails leaves nothing behind."""

    @abstractmethod
    def start(self) -> None:
        """Returns when it answers. Raises `SkynetError`."""

    @abstractmethod
    def stop(self) -> None:
        """Leaves nothing running, also after half a start."""

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


class Children(Running):
    """Processes of ours that run together: one that ends by itself is a fault."""

    def __init__(self) -> None:
        self._children: list[Child] = []
        self._stopping = threading.Event()

    def wait(self) -> None:
        """Block until SIGINT or SIGTERM. Raises `child_died` when a child ends by itself."""
        previous = {number: signal.signal(number, self._on_signal) for number in _SIGNALS}
        try:
            while not self._stopping.wait(_WATCH_S):
                for child in self._children:
                    if child.exit_code is not None:
                        raise SkynetError(
                            "child_died",
                            f"{child.name} ended with code {child.exit_code}. "
                            f"Its log says:\n{child.tail()}",
                            500,
                        )
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._stopping.set()
