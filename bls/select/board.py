# SPDX-License-Identifier: Apache-2.0
"""Values and gates of one index generation, as arrays by row: made ahead, so a search is one pass.

What changes while a request is on its way (money, dates, deletes) is looked at again for the few
creatives that come out of the search.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from bls.ads.records import CampaignRecord
from bls.select.catalogue import Snapshot
from bls.select.index.protocol import F32, I32, I64, Generation, Mask
from bls.select.values import running_cap, scaled

T = TypeVar("T", bound=np.generic)


@dataclass(frozen=True)
class Board:
    """Attributes:
    values: f32 [rows], v scaled to [0, 1].
    allowed: bool [rows], rows of campaigns that may take part; None where all may.
    row_of: i32 [rows], position of each row's campaign in `names`; says nothing of a dead row.
    creatives: i64 [campaigns], living rows of each campaign when a row last came alive.
    revision: of the generation, that `row_of` and `creatives` are of.
    cap: micro-dollars that count as 1.
    state: of the campaigns, to see whether anything has changed.
    """

    generation: Generation
    snapshot: Snapshot
    names: tuple[str, ...]
    values: F32
    allowed: Mask | None
    row_of: I32
    creatives: I64
    revision: int
    cap: float
    state: bytes

    def campaign(self, name: str) -> CampaignRecord | None:
        return self.snapshot.campaigns.get(name)

    def micros(self, name: str) -> int:
        """What an ad of this campaign is worth."""
        return self.snapshot.values.micros.get(name, 0)


def build(
    generation: Generation, snapshot: Snapshot, now: float, before: Board | None = None
) -> Board:
    """The board of a generation; arrays of `before` are taken over where nothing has changed."""
    revision = generation.revision  # read first: what comes from here on is of the next one
    if before is None or before.generation is not generation or before.revision != revision:
        row_of = generation.campaign.copy()
        names = tuple(generation.campaigns)  # read after the rows: all that they point to
        living = row_of[np.flatnonzero(generation.alive[: len(row_of)])]
        creatives = np.bincount(living, minlength=len(names))[: len(names)].astype(np.int64)
        before = None
    else:
        row_of, names, creatives = before.row_of, before.names, before.creatives
    opened = np.array([snapshot.open(name, now) for name in names], bool)
    micros = np.array([snapshot.values.micros.get(name, 0) for name in names], np.int64)
    cap = running_cap(micros[opened], creatives[opened])
    state = opened.tobytes() + micros.tobytes()
    if before is not None and before.state == state:
        values, allowed = before.values, before.allowed
    else:
        values = _spread(scaled(micros, cap), row_of)
        allowed = None if opened.all() else _spread(opened, row_of)
    return Board(
        generation, snapshot, names, values, allowed, row_of, creatives, revision, cap, state
    )


def _spread(per_campaign: NDArray[T], row_of: NDArray[np.int32]) -> NDArray[T]:
    """From campaigns to rows, which are all dead while there is no campaign."""
    if not len(per_campaign):
        return np.zeros(len(row_of), per_campaign.dtype)
    made: NDArray[T] = per_campaign[row_of]
    return made
