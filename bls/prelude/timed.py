# SPDX-License-Identifier: Apache-2.0
"""Stages with a time of their own: one that is late is given up, and the reply goes on."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from bls.errors import SkynetError, capacity
from bls.limits import LIMITS

T = TypeVar("T")

_ABANDONED = 64
"""Calls that were given up and still run; with more of them nothing new is begun."""


@dataclass
class Running(Generic[T]):
    """A stage under way. `seconds` once it is over."""

    future: Future[T]
    began: float
    until: float
    seconds: float = field(default=0.0, init=False)

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
        finally:
            self.seconds = time.monotonic() - self.began


class Timed:
    """A pool of threads that wait for models."""

    def __init__(self, threads: int = 2 * LIMITS.streams) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="stage")
        self._slots = threading.BoundedSemaphore(threads + _ABANDONED)

    def begin(self, call: Callable[[], T], seconds: float) -> Running[T]:
        """Run `call` with `seconds` of time. Raises `capacity` when too many calls hang."""
        if not self._slots.acquire(blocking=False):
            raise capacity("stages")
        now = time.monotonic()
        future = self._pool.submit(call)
        future.add_done_callback(lambda _: self._slots.release())
        return Running(future, now, now + seconds)

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)
