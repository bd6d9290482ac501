# SPDX-License-Identifier: Apache-2.0
"""Millions of rows: the nearest cells' codes give candidates, stored vectors give their cosines.

A row's code alone does not order the true nearest, so the best hundred or so are scored again with
their fp16 vectors, which may be a file mapped to memory.
Source: max_reward_optimizer 2.2.3; corrections, max-reward optimiser 3.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bls.select.index.bands import Bands
from bls.select.index.params import IvfPqParams
from bls.select.index.protocol import F32, I64, Mask
from bls.select.index.selector import one_thread, searching

F16 = NDArray[np.float16]

_ALL = 1_024
"""Kept rows up to which every one is scored."""
_NARROW, _WIDEST = 8, 16
"""Cells looked into where a band holds all the rows, and how many times as many at most for a small
band."""
_MORE = 4


class IvfPq:
    """Args:
    index: a trained `faiss.IndexIVFPQFastScan` whose ids are the positions in `vectors`.
    vectors: fp16 [n, 128], an array or a memory map.
    """

    kind = "ivfpq"

    def __init__(self, index: Any, vectors: F16, params: IvfPqParams) -> None:
        self.params = params
        self.index = index
        self._vectors = vectors
        self._bands = Bands()

    @property
    def rows(self) -> int:
        return len(self._vectors)

    def vectors(self, rows: I64 | slice) -> F32:
        """The stored vectors, f32 [h, 128]."""
        return self._vectors[rows].astype(np.float32)

    def near(self, ctx: F32, k: int, keep: Mask | None) -> tuple[I64, F32]:
        """The `depth` (or `k`) nearest rows by code that `keep` leaves, and their exact cosines;
        fewer than `k` only where it leaves fewer.

        Rows are mostly left out after the search, which is fast where few are; where they leave
        less than half, or too few, it is done again among the kept alone. Cells that hold too few
        of them are looked into together with the next ones, in the end with all.
        """
        depth = max(k, self.params.depth)
        rows = self._coded(ctx, depth, None, self.params.nprobe)
        if keep is not None:
            left = rows[keep[rows]]
            enough = len(left) >= k and 2 * len(left) >= len(rows)
            rows = left if enough else self._among(ctx, depth, keep)
        if len(rows) < k:
            rows = self._wider(ctx, k, keep, rows)
        return rows, self.vectors(rows) @ ctx

    def scored(
        self, ctx: F32, lambda_sem: float, values: F32, k: int, keep: Mask | None
    ) -> tuple[I64, F32]:
        """Candidates by similarity, then of each band of values that could still hold a better
        score, highest values first, and their exact cosines.

        A row of a band that no search gave has a cosine below the least that was given, and a value
        of at most the band's highest: when both together cannot beat the k-th best, the band is
        done (Fagin's threshold algorithm; exact but for what the codes miss).
        """
        rows, sims = self.near(ctx, k, _within(keep, len(values), self.rows))
        for band in self._bands.of(values):
            scores = lambda_sem * sims + (1 - lambda_sem) * values[rows]
            worst = float(np.partition(scores, -k)[-k]) if len(scores) >= k else -np.inf
            bound = lambda_sem * (float(sims.min()) if len(sims) else 1.0)
            if bound + (1 - lambda_sem) * band.high <= worst:
                break
            inside = band.keep if keep is None else band.keep & keep[: len(values)]
            more = np.setdiff1d(self._among(ctx, max(k, self.params.depth), inside), rows)
            rows = np.concatenate([rows, more])
            sims = np.concatenate([sims, self.vectors(more) @ ctx])
        return rows, sims

    def _among(self, ctx: F32, depth: int, keep: Mask) -> I64:
        """The nearest of the kept by code: all of a few, and the fewer they are, the more cells are
        looked into, for their nearest lie further off."""
        kept = int(np.count_nonzero(keep))
        if kept <= _ALL:
            found: I64 = np.flatnonzero(keep)
            return found
        nprobe = self.params.nprobe
        wider = min(_NARROW * len(keep) // kept, _WIDEST * _NARROW, self.params.nlist)
        return self._coded(ctx, depth, keep, max(nprobe, wider))

    def _wider(self, ctx: F32, k: int, keep: Mask | None, rows: I64) -> I64:
        """Where `rows` are too few: those of ever more cells, until there are `k` or all kept."""
        least = min(k, self.rows if keep is None else int(np.count_nonzero(keep)))
        nprobe = self.params.nprobe
        while len(rows) < least and nprobe < self.params.nlist:
            nprobe = min(_MORE * nprobe, self.params.nlist)
            rows = self._coded(ctx, max(k, self.params.depth), keep, nprobe)
        return rows

    def _coded(self, ctx: F32, depth: int, keep: Mask | None, nprobe: int) -> I64:
        one_thread()
        options = searching(keep, nprobe)
        rows: I64 = self.index.search(ctx[None], min(depth, self.rows), params=options)[1][0]
        return rows[rows >= 0]


def _within(keep: Mask | None, length: int, rows: int) -> Mask | None:
    """`keep`, without the rows that have no value."""
    if keep is None and length >= rows:
        return None
    whole = np.zeros(rows, np.bool_)
    whole[:length] = True if keep is None else keep[:length]
    return whole
