# SPDX-License-Identifier: Apache-2.0
"""A champion that serves, and a canary that serves a share of the conversations beside it.

A conversation goes to the canary when `(digest % 2**32) / 2**32 < share`, so it always gets the
same answer, and a larger share keeps those that a smaller one had. A canary that is not there, was
refused, or fails a request is replaced by the champion for that request, and counted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from bls.errors import SkynetError
from bls.jsonlog import JsonLog
from bls.keys import stats as key_stats
from bls.models import stats as slot_stats
from bls.models.keys import ModelKeys
from bls.models.places import Places
from bls.models.pointer import Pointer, Target
from bls.models.slot import ModelSlot, Refused, Versioned
from bls.totals import Totals

M = TypeVar("M", bound=Versioned)
Digests = NDArray[np.uint64]
Table = Mapping[str, tuple[str, str]]
Series = tuple[object, Table, Table]

_LOW = np.uint64(2**32 - 1)
_WHOLE = 2.0**32


def chosen(digests: Digests, share: float) -> NDArray[np.bool_]:
    """Which conversations a canary with this share serves."""
    rows: NDArray[np.bool_] = (digests & _LOW) / _WHOLE < share
    return rows


@dataclass
class CanaryStats:
    """Attributes:
    rows: that the canary answered.
    fallbacks: rows that the champion answered in its place, by reason.
    """

    rows: int = 0
    fallbacks: Totals = field(default_factory=Totals)
    share: float = 0.0


class Models(Generic[M]):
    """What one served model keeps.

    Args:
        name: in logs.
        pointer: says which version serves while no key does.
        keys: None serves what `pointer` says, without a canary.
        refused: told of champions that are not taken.
    """

    def __init__(
        self,
        name: str,
        load: Callable[[Target], M],
        pointer: Pointer,
        keys: ModelKeys | None = None,
        *,
        places: Places | None = None,
        log: JsonLog | None = None,
        refused: Refused = lambda error, why: None,
    ) -> None:
        self.stats = CanaryStats()
        self._name, self._log, self._keys = name, log, keys
        self._canary: ModelSlot[M] | None = None
        if keys is None or places is None:
            self.champion = ModelSlot(name, load, pointer, log=log, refused=refused)
            return
        from_key = located(load, places)
        self.champion = ModelSlot(
            name, from_key, keys.champion_or(pointer), spare=pointer, log=log, refused=refused
        )
        self._canary = ModelSlot(
            f"{name}_canary",
            from_key,
            keys.challenging,
            optional=True,
            log=log,
            refused=self._canary_refused,
        )

    def start(self) -> None:
        self.champion.start()
        if self._canary is not None:
            self._canary.start()

    def stop(self) -> None:
        """Stop watching; the models stay."""
        self.champion.stop()
        if self._canary is not None:
            self._canary.stop()
        if self._keys is not None:
            self._keys.close()

    def for_canary(self, digests: Digests | None) -> NDArray[np.bool_] | None:
        """Which rows [n] the canary is to answer; None: none of them."""
        named = None if self._keys is None else self._keys.challenger()
        self.stats.share = 0.0 if named is None else named.share
        if named is None or digests is None:
            return None
        rows = chosen(digests, named.share)
        return rows if rows.any() else None

    def canary(self, rows: int) -> M | None:
        """The canary, if it is the one that the key names; else `rows` are counted as missed."""
        named = None if self._keys is None else self._keys.challenger()
        found = self._canary.version(named.sha256) if named and self._canary else None
        if found is None:
            self.missed(rows, "missing")
        return found

    def answered(self, rows: int) -> None:
        """The canary answered `rows`."""
        self.stats.rows += rows

    def missed(self, rows: int, reason: str) -> None:
        """The champion answers `rows` in the canary's place."""
        self.stats.fallbacks.add(rows, reason=reason)

    def series(self, prefix: str) -> list[Series]:
        """(stats, counters, gauges) of slots, keys and canary; `prefix` is the subsystem's."""
        found: list[Series] = [
            (self.champion.stats, slot_stats.counters(prefix), slot_stats.gauges(prefix))
        ]
        if self._keys is None or self._canary is None:
            return found
        model = f"orch_{self._keys.subsystem}_model"
        canary = f"orch_{self._keys.subsystem}_canary"
        return [
            *found,
            (self.stats, counters(canary), gauges(canary)),
            (self._canary.stats, slot_stats.counters(canary), slot_stats.gauges(canary)),
            (self._keys.champion.stats, key_stats.counters(model), key_stats.gauges(model)),
            (self._keys.canary.stats, key_stats.counters(canary), key_stats.gauges(canary)),
        ]

    def _canary_refused(self, error: SkynetError, why: str) -> None:
        if self._log is not None:
            self._log.write("alerts", alert="CANARY_REFUSED", model=self._name, why=why)


def counters(prefix: str) -> Table:
    return {
        f"{prefix}_rows_total": ("rows", "Rows that the canary answered"),
        f"{prefix}_fallbacks_total": ("fallbacks", "Rows it could not answer, by reason"),
    }


def gauges(prefix: str) -> Table:
    return {f"{prefix}_share": ("share", "Share of conversations, 0 without a canary")}


def located(load: Callable[[Target], M], places: Places) -> Callable[[Target], M]:
    """`load`, also for targets that a key names by URI."""

    def loading(target: Target) -> M:
        folder: Path = places.folder(target)
        return load(target._replace(folder=folder))

    return loading
