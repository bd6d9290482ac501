# SPDX-License-Identifier: Apache-2.0
"""What is recorded of sessions, and what a gateway that starts again reads of it.

The files are taken, and the book made again, when the gateway starts, beside what it serves. What
fails then, as while another process has the files, is tried again by the next request; until it
worked nothing is recorded.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from bls.errors import SkynetError
from bls.limits import LIMITS
from bls.phantom.book import SessionBook
from bls.phantom.lines import EVENTS, PRICES, Line, lines_since
from bls.phantom.restore import apply_line
from bls.phantom.salt import hashed, read_salt
from bls.settlement.spool import Spool

log = logging.getLogger("skynet.sessions")

LOCK = "sessions.lock"
_WAITING = 16_384
_CHUNK = 2_000
_START_S = 5.0
"""How long a request waits for the book to be made again."""

_GLANCE_S = 0.5
"""How long one waits that can do without it."""


class SessionRecord:
    """Made inside the event loop; it opens nothing before `begin`, `ready` or `restored`.

    Args:
        logs: log folder; None refuses everything.
        salt: file of the salt of user agents; None: they are not recorded.
        book: what is made again.
    """

    def __init__(self, logs: Path | None, salt: Path | None, book: SessionBook) -> None:
        self._logs, self._salt_file, self._book = logs, salt, book
        self._spool: Spool | None = None
        self._salt, self._why = b"", ""
        self._opening: asyncio.Task[Spool] | None = None

    async def ready(self, count: int) -> None:
        """There is room for so many lines. Raises `sessions_stalled`."""
        spool = await self._opened(_START_S)
        if not spool.has_room(count):
            raise _stalled()

    def begin(self) -> asyncio.Task[Spool] | None:
        """Take the files and make the book again, unless that is done or under way; a failure is
        logged and the next call tries again. None without a log folder."""
        if self._opening is None and self._logs is not None:
            self._opening = asyncio.create_task(self._open(self._logs))
            self._opening.add_done_callback(self._ended)
        return self._opening

    async def restored(self) -> bool:
        """Whether the book is made again; waits for it a moment, never raises."""
        with contextlib.suppress(SkynetError):
            await self._opened(_GLANCE_S)
            return True
        return False

    async def _opened(self, timeout_s: float) -> Spool:
        """Raises `sessions_stalled`, whatever the fault."""
        opening = self.begin()
        if opening is None:
            raise _stalled()
        try:
            if opening.done():  # as nearly always: no timer
                return opening.result()
            return await asyncio.wait_for(asyncio.shield(opening), timeout_s)
        except Exception:  # told by `_ended`
            raise _stalled() from None

    def _ended(self, opening: asyncio.Task[Spool]) -> None:
        """A failure is told, and forgotten: the next request tries again."""
        if opening.cancelled():
            return
        fault = opening.exception()
        if fault is not None:
            self._opening = None
            self._tell_once(fault)

    def add(self, stream: str, lines: Sequence[bytes]) -> None:
        """Lines that `commit` writes; `ready` was asked before."""
        if self._spool is not None:
            self._spool.add([(stream, line) for line in lines])

    async def commit(self) -> None:
        """Everything added is on disk. Raises `sessions_stalled`: it waits, commit again."""
        try:
            if self._spool is not None:
                await self._spool.commit()
        except OSError:
            raise _stalled() from None

    def hashed(self, user_agent: str) -> str:
        """As it is recorded; empty without a salt."""
        return hashed(self._salt, user_agent) if self._salt else ""

    async def close(self) -> None:
        """Nothing is taken any more; release the files."""
        if self._opening is not None:
            self._opening.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):  # `_ended` tells it
                await self._opening
        if self._spool is not None:
            self._spool.close()

    async def _open(self, logs: Path) -> Spool:
        """Take the files, then make the book again. Raises `OSError`, `bad_salt`."""
        if self._spool is None:
            self._spool = Spool(logs, (EVENTS, PRICES), LOCK, waiting=_WAITING)
        await self._spool.open()
        loop = asyncio.get_running_loop()
        if self._salt_file is not None:
            self._salt = await loop.run_in_executor(None, read_salt, self._salt_file)
        began, count = time.monotonic(), 0
        lines = lines_since(logs, time.time() - LIMITS.event_age_s)
        while chunk := await loop.run_in_executor(None, _some, lines):
            for line in chunk:
                apply_line(self._book, line)
            count += len(chunk)
            await asyncio.sleep(0)
        if count:
            seconds = time.monotonic() - began
            log.warning("%d lines of sessions read again in %.1f s", count, seconds)
        return self._spool

    def _tell_once(self, fault: BaseException) -> None:
        """Why nothing can be recorded; not again with every request that finds it so."""
        why = fault.code if isinstance(fault, SkynetError) else type(fault).__name__
        if why != self._why:
            log.warning("sessions cannot be recorded: %s", why)
        self._why = why


def _some(lines: Iterator[Line]) -> list[Line]:
    return list(itertools.islice(lines, _CHUNK))


def _stalled() -> SkynetError:
    why = "Sessions cannot be recorded now; send it again."
    return SkynetError("sessions_stalled", why, 503)
