# SPDX-License-Identifier: Apache-2.0
"""Stages with a time of their own: one that is late is given up, and the reply goes on."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from bls.errors import SkynetError, capacity
from bls.limits import LIMITS

T = TypeVar("T")


@dataclass
class Running(Generic[T]):
    """A stage under way."""

    future: Future[T]
    began: float
    until: float
    ended: float = field(default=0.0, init=False)

    @property
    def seconds(self) -> float:
        """What it took, or has taken so far, whenever its answer is fetched."""
        return (self.ended or time.monotonic()) - self.began

    def result(self) -> T:
        """What it answered. Raises its `SkynetError`, `stage_late`, or `stage_failed`."""
        try:
            return self.future.result(max(0.0, self.until - time.monotonic()))
        except TimeoutError:
            raise SkynetError("stage_late", "A stage did not answer in time.", 504) from None
        except SkynetError:
            raise
        except Exception as fault:
            raise SkynetError("stage_failed", type(fault).__name__, 500) from fault


class Timed:
    """Runs calls on threads of their own.

    A call that is given up keeps its thread until the model answers; with `most` of them under way
    nothing new is begun. The threads are daemons: a model that never answers keeps no process up.
    """

    def __init__(self, most: int = 4 * LIMITS.streams) -> None:
        self._slots = threading.BoundedSemaphore(most)

    def begin(self, call: Callable[[], T], seconds: float) -> Running[T]:
        """Run `call` with `seconds` of time. Raises `capacity` when too many calls hang."""
        if not self._slots.acquire(blocking=False):
            raise capacity("stages")
        now = time.monotonic()
        running = Running(Future[T](), now, now + seconds)

        def run() -> None:
            try:
                answer = call()
                running.ended = time.monotonic()
                running.future.set_result(answer)
            except BaseException as fault:
                running.ended = time.monotonic()
                running.future.set_exception(fault)
            finally:
                self._slots.release()

        try:
            threading.Thread(target=run, name="stage", daemon=True).start()
        except RuntimeError:  # no thread can be had
            self._slots.release()
            raise capacity("stages") from None
        return running
