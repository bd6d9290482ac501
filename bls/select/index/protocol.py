# SPDX-License-Identifier: Apache-2.0
"""What the selector may ask of an index. Vectors are f32 [128] of unit norm, on one P_K's axes.

A `Generation` holds its creatives in rows that are only ever appended: a row's number means the
same creative's same text for as long as the generation lives, and a creative that is deleted, is
blocked, or gets another text leaves its row dead. A row of a version from disk is dead, and of no
campaign, until the database confirms it. So a mask or an array of values that was made for
`rows` rows stays right when rows are added: what lies beyond its end is simply not searched.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from bls.ads.records import CreativeRecord

F32 = NDArray[np.float32]
I64 = NDArray[np.int64]
I32 = NDArray[np.int32]
Mask = NDArray[np.bool_]


class Hits(NamedTuple):
    """Rows, best first; fewer than asked where no more are alive and allowed.

    Attributes:
        rows: i64 [h], of the generation that was asked.
        sims: f32 [h], cosine of context and creative, from the re-ranked vectors.
        scores: f32 [h], what they are ordered by: `sims`, or the mixer's score.
    """

    rows: I64
    sims: F32
    scores: F32


class Generation(Protocol):
    """One index of one P_K. Usable from several threads, also while creatives are added.

    Attributes:
        axes: `SERVED` of the axes version whose vectors these are; never compare it with others'.
        version: name of the index version, for answers and logs.
    """

    axes: int
    version: str

    @property
    def rows(self) -> int:
        """Rows so far, dead ones too: the length that masks and values may have."""

    @property
    def alive(self) -> Mask:
        """bool [rows], read-only: which rows may be chosen now."""

    @property
    def campaign(self) -> I32:
        """i32 [rows], read-only: position of each living row's campaign in `campaigns`."""

    @property
    def campaigns(self) -> Sequence[str]:
        """Ids of campaigns in order of their first row; only ever appended."""

    @property
    def revision(self) -> int:
        """Another whenever a row has come alive, after `campaign` says whose it is."""

    def record(self, row: int) -> CreativeRecord | None:
        """The creative of a row (its `embedding` left out); None once the row is dead."""

    def search(self, ctx: F32, k: int, allowed: Mask | None = None) -> Hits:
        """The `k` nearest rows that are alive and, where a mask is given, allowed.

        Raises:
            SkynetError: `index_failed` (503): no answer could be had; another try may work.
        """

    def search_scored(
        self,
        ctx: F32,
        lambda_sem: float,
        values: F32,
        k: int,
        allowed: Mask | None = None,
    ) -> Hits:
        """The `k` best by `lambda_sem sim + (1 - lambda_sem) value`; `values` f32 [<= rows].

        Exact on a flat index. On IVF-PQ the candidates are the nearest few hundred and the few
        hundred of the highest value, each scored exactly. Raises as `search`.
        """


class Generations(Protocol):
    """Where the selector gets its index from; `bls.select.index.keeper.IndexKeeper` is the one."""

    def generation(self, axes: int) -> Generation | None:
        """The live generation of these axes; None while there is none: show no ad."""

    def rebuild(self, p_k: F32, axes: int) -> None:
        """Other axes are about to be served: make a generation of theirs in the background.

        `p_k` is f32 [128, 384] with orthonormal rows. Returns at once; doing it twice is harmless.
        """
