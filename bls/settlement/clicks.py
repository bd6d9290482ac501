# SPDX-License-Identifier: Apache-2.0
"""`click.logs`: what readers did, chained and synced like every billing record."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

import orjson

from bls.errors import SkynetError
from bls.limits import LIMITS, Limits
from bls.settlement.record import VERSION
from bls.settlement.spool import Spool

CLICKS = "click.logs"
_LOCK = "clicks.lock"


class ClickBook:
    """One per process; opened with the first click.

    Args:
        folder: log folder; None refuses every click.
    """

    def __init__(self, folder: Path | None, limits: Limits = LIMITS) -> None:
        self._spool = None if folder is None else Spool(folder, (CLICKS,), _LOCK, limits)

    async def put(self, click: Mapping[str, object]) -> None:
        """Record one click; returns when it is on disk. Raises `clicks_stalled`.

        A refused click may have been recorded all the same; it has an id, so send it again.
        """
        if self._spool is None or not self._spool.has_room():
            raise _stalled()
        line = orjson.dumps({"v": VERSION, "ts": round(time.time(), 6), **click})
        self._spool.add([(CLICKS, line)])
        try:
            await self._spool.commit()
        except OSError:
            raise _stalled() from None

    def close(self) -> None:
        """Nothing waits any more; release the files."""
        if self._spool is not None:
            self._spool.close()


def _stalled() -> SkynetError:
    return SkynetError("clicks_stalled", "Clicks cannot be recorded now; send it again.", 503)
