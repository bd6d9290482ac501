# SPDX-License-Identifier: Apache-2.0
"""The live value of `/phantom/experiments`, watched; none without a key store."""

from __future__ import annotations

from pathlib import Path

from bls.jsonlog import JsonLog
from bls.keys.live import LiveValue
from bls.keys.store import KeyStore, open_store
from bls.limits import LIMITS
from bls.phantom.experiments import KEY, NONE, Experiments, read_experiments


class Conditions:
    """Opened with the first look; it may be asked from the event loop, and watches on a thread.

    Args:
        store: `bls.keys.store.open_store`'s; empty: there are no experiments.
        logs: where refusals are told.
    """

    def __init__(self, store: str = "", password: str = "", logs: Path | None = None) -> None:
        self._store: KeyStore | None = None
        self._live: LiveValue[Experiments] | None = None
        self._log: JsonLog | None = None
        if store and logs is not None:
            self._store = open_store(store, password)
            self._log = JsonLog(logs, LIMITS.log_queue)
            self._live = LiveValue(
                self._store, KEY, read_experiments, NONE, keys=None, log=self._log, removable=True
            )

    @property
    def current(self) -> Experiments:
        return NONE if self._live is None else self._live.current

    def close(self) -> None:
        """Stop watching."""
        if self._live is not None:
            self._live.close()
        if self._store is not None:
            self._store.close()
        if self._log is not None:
            self._log.close()
