# SPDX-License-Identifier: Apache-2.0
"""The board of every generation in use."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from bls.ads.source import AdSource
from bls.errors import SkynetError
from bls.keys.live import Log
from bls.select.board import Board, build
from bls.select.catalogue import Catalogue, Snapshot
from bls.select.index.protocol import Generation, Generations
from bls.select.stats import SelectStats


class Boards:
    """`of` from any thread.

    Args:
        axes: `SERVED` of the axes versions that the encoder holds, the newest first.
        clock: Unix seconds.
    """

    def __init__(
        self,
        source: AdSource,
        generations: Generations,
        axes: Callable[[], Sequence[int]],
        *,
        log: Log,
        stats: SelectStats,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._catalogue = Catalogue(source)
        self._generations, self._axes = generations, axes
        self._log, self._stats, self._clock = log, stats, clock
        self._boards: dict[int, Board] = {}

    def of(self, axes: int) -> Board:
        """Raises `axes_mismatch` (409), whose `param` names axes that do have an index in decimal,
        or `index_missing` (503) when none have."""
        generation = self._generations.generation(axes)
        if generation is None:
            raise self._missing()
        board = self._boards.get(axes)
        return board if board and board.generation is generation else self._build(generation)

    def refresh(self) -> None:
        """Look at the database and the indexes now. Raises `ads_unavailable`: nothing changes."""
        before = self._catalogue.snapshot
        self._tell(before, self._catalogue.refresh(self._clock()))
        held = {axes: self._generations.generation(axes) for axes in self._axes()}
        for generation in held.values():
            if generation is not None:
                self._build(generation)
        for axes in self._boards.keys() - held.keys():
            self._boards.pop(axes, None)

    def _build(self, generation: Generation) -> Board:
        before = self._boards.get(generation.axes)
        made = build(generation, self._catalogue.snapshot, self._clock(), before)
        self._boards[generation.axes] = made
        return made

    def _missing(self) -> SkynetError:
        for axes in self._axes():
            if self._generations.generation(axes) is not None:
                why = "The index has other axes: encode the context with those in `param`."
                return SkynetError("axes_mismatch", why, 409, str(axes))
        return SkynetError("index_missing", "There is no index of creatives yet.", 503)

    def _tell(self, before: Snapshot, after: Snapshot) -> None:
        for name in sorted(after.values.filled - before.values.filled):
            self._stats.no_cpm += 1
            v = after.values.micros[name]
            self._log.write("mixer.warn.no_cpm", campaign_id=name, value_micros=v)
        for advertiser in sorted(after.poor ^ before.poor):
            gone = advertiser in after.poor
            self._log.write("budget.gate.trace", advertiser=advertiser, empty=gone)
