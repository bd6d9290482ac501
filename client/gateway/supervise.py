# SPDX-License-Identifier: Apache-2.0
"""Runs a reply until it is done, its reader left, its time is up, or the gateway stops.

Whatever ends it first, the work is cancelled and waited for before this returns, so its
upstream call is closed and its slot is free.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, TypeVar

from starlette.types import Receive

from bls.errors import SkynetError
from client.gateway.upstream import deadline_exceeded

T = TypeVar("T")


class ReaderLeftError(Exception):
    """The client closed its connection: nobody is left to answer."""


async def supervise(
    work: Coroutine[Any, Any, T], receive: Receive, drain: asyncio.Event, timeout_s: float
) -> T:
    """The result of `work`. Raises `ReaderLeftError`, `SkynetError`, or what `work` raises."""
    task = asyncio.create_task(work)
    gone = asyncio.create_task(_disconnected(receive))
    stop = asyncio.create_task(drain.wait())
    try:
        await asyncio.wait(
            {task, gone, stop}, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED
        )
        if task.done():
            return task.result()
        if gone.done():
            raise ReaderLeftError
        if stop.done():
            raise SkynetError("shutting_down", "The server is shutting down; try again.", 503)
        raise deadline_exceeded()
    finally:
        await _end(task, gone, stop)


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _end(*tasks: asyncio.Task[Any]) -> None:
    for task in tasks:
        task.cancel()
    for task in tasks:
        with suppress(asyncio.CancelledError, Exception):  # its outcome no longer matters
            await task
