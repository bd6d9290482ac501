# SPDX-License-Identifier: Apache-2.0
"""Which adapter an advertiser's row takes: what `llm_step` acknowledged, and nothing earlier."""

from __future__ import annotations

from collections.abc import Sequence

from bls.keys.live import LiveValue, Log
from bls.keys.store import open_store
from bls.llm.adapter_bank import NONE
from bls.llm.adapters_key import LIVE_KEY, Adapters
from bls.models.served import served_name
from bls.settings import Settings


def without_missing(adapters: tuple[int, ...], missing: str | None) -> tuple[int, ...] | None:
    """Adapters of rows but for the one that `unknown_adapter` names in its `param`; None when no
    row has one left, or when it names none of them."""
    left = tuple(NONE if served_name(one) == missing else one for one in adapters)
    return left if any(left) and left != adapters else None


class AdapterNames:
    """`of_rows` when a reply begins: it keeps those adapters until it ends."""

    def __init__(self, settings: Settings, log: Log) -> None:
        self._store = open_store(settings.keys_kept)
        self._live: LiveValue[Adapters] = LiveValue(
            self._store, LIVE_KEY, Adapters.of, Adapters(), keys=None, log=log, removable=True
        )

    def of_rows(self, advertisers: Sequence[str]) -> tuple[int, ...] | None:
        """The adapter of row 0 (none) and of each advertiser's row; None when no row has one."""
        adapters = self._live.current
        rows = (NONE, *(adapters.number(name) for name in advertisers))
        return rows if any(rows) else None

    def close(self) -> None:
        self._live.close()
        self._store.close()
