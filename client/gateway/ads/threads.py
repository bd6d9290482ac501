# SPDX-License-Identifier: Apache-2.0
"""Database work off the event loop: a few threads, and no endless queue before them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from bls.errors import SkynetError, capacity

T = TypeVar("T")

_THREADS = 8
_WAITING = 256


class Threads:
    """Args:
    prepare: done in a thread before the first work, and again while it raises.
    """

    def __init__(self, prepare: Callable[[], None], waiting: int = _WAITING) -> None:
        self._pool = ThreadPoolExecutor(_THREADS, "ads")
        self._prepare, self._prepared = prepare, False
        self._waiting, self._free = waiting, waiting

    async def __call__(self, work: Callable[[], T]) -> T:
        """`work()` in a thread. Raises `capacity` (429) when too many wait, or as `work`."""
        if self._free == 0:
            raise capacity("requests for campaigns")
        self._free -= 1
        future = asyncio.get_running_loop().run_in_executor(self._pool, self._run, work)
        future.add_done_callback(lambda done: self._return())
        return await asyncio.shield(future)

    def close(self) -> None:
        """Drop what waits; what runs ends by itself, within the database's own time limits."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _run(self, work: Callable[[], T]) -> T:
        if not self._prepared:
            self._prepare()
            self._prepared = True
        return work()

    def _return(self) -> None:
        self._free += 1


def away() -> SkynetError:
    """This gateway was given no database."""
    return SkynetError("ads_unavailable", "This gateway serves no campaigns.", 503)
