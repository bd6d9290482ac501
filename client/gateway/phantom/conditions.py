# SPDX-License-Identifier: Apache-2.0
"""The live value of `/phantom/experiments`, watched; none without a key store."""

from __future__ import annotations

import asyncio
from pathlib import Path

from bls.jsonlog import JsonLog
from bls.keys.live import LiveValue
from bls.keys.store import KeyStore, open_store
from bls.limits import LIMITS
from bls.phantom.experiments import KEY, NONE, Experiments, read_experiments

_START_S = 5.0
"""How long a request waits for the first look."""


class Conditions:
    """The first look is on a thread of its own, for a store may be slow; afterwards it watches on
    one. `current` never waits: before the first look there are no experiments.

    Args:
        store: `bls.keys.store.open_store`'s; empty: there are no experiments.
        logs: where refusals are told.

    Raises:
        SkynetError: `bad_setting` for a store that is none.
    """

    def __init__(self, store: str = "", password: str = "", logs: Path | None = None) -> None:
        self._store: KeyStore | None = None
        self._live: LiveValue[Experiments] | None = None
        self._log: JsonLog | None = None
        self._opening: asyncio.Future[None] | None = None
        if store and logs is not None:
            self._store = open_store(store, password)
            self._log = JsonLog(logs, LIMITS.log_queue)

    @property
    def current(self) -> Experiments:
        return NONE if self._live is None else self._live.current

    def begin(self) -> None:
        """Look for the first time, beside the event loop, unless that is done or under way."""
        if self._store is not None and self._log is not None and self._opening is None:
            loop = asyncio.get_running_loop()
            self._opening = loop.run_in_executor(None, self._look, self._store, self._log)

    async def looked(self) -> None:
        """The first look is over, or a request has waited long enough for it."""
        self.begin()
        if self._opening is not None and not self._opening.done():
            await asyncio.wait({self._opening}, timeout=_START_S)

    async def close(self) -> None:
        """Stop watching; a first look that is under way fails with its next request."""
        if self._store is not None:
            await asyncio.to_thread(self._store.close)
        if self._opening is not None:
            await asyncio.gather(self._opening, return_exceptions=True)
        if self._live is not None:
            self._live.close()
        if self._log is not None:
            self._log.close()

    def _look(self, store: KeyStore, log: JsonLog) -> None:
        self._live = LiveValue(
            store, KEY, read_experiments, NONE, keys=None, log=log, removable=True
        )
