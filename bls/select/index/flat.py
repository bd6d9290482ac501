# SPDX-License-Identifier: Apache-2.0
"""Every row is looked at: exact, for some ten thousand creatives, and the twin of IVF-PQ in tests.

Source: max_reward_optimizer 2.2.3 (MVP).
"""

from __future__ import annotations

import faiss
import numpy as np

from bls.contracts import CTX
from bls.select.index.protocol import F32, I64, Mask
from bls.select.index.selector import one_thread, searching


class Flat:
    """Inner products of f32 [n, 128], in one faiss index that also holds the vectors."""

    kind = "flat"

    def __init__(self, vectors: F32) -> None:
        self._index = faiss.IndexFlatIP(CTX)
        self._index.add(np.ascontiguousarray(vectors, np.float32))
        self._vectors = _inside(self._index)

    @property
    def rows(self) -> int:
        return len(self._vectors)

    def vectors(self, rows: I64 | slice) -> F32:
        """The stored vectors, f32 [h, 128]."""
        return self._vectors[rows]

    def near(self, ctx: F32, k: int, keep: Mask | None) -> tuple[I64, F32]:
        """The `k` nearest rows that `keep` leaves, and their cosines."""
        if not self.rows:
            return np.empty(0, np.int64), np.empty(0, np.float32)
        one_thread()
        sims, rows = self._index.search(ctx[None], min(k, self.rows), params=searching(keep))
        found = rows[0] >= 0
        return rows[0][found], sims[0][found]

    def scored(
        self, ctx: F32, lambda_sem: float, values: F32, k: int, keep: Mask | None
    ) -> tuple[I64, F32]:
        """Every row that `keep` leaves, and its cosine: the caller scores them all."""
        sims = self._vectors[: len(values)] @ ctx
        rows = np.arange(len(sims)) if keep is None else np.flatnonzero(keep[: len(sims)])
        return rows, sims[rows]


def _inside(index: faiss.IndexFlatIP) -> F32:
    """The vectors as faiss holds them, f32 [n, 128], read-only; no copy."""
    if not index.ntotal:
        return np.empty((0, CTX), np.float32)
    flat = faiss.rev_swig_ptr(index.get_xb(), index.ntotal * CTX)
    vectors: F32 = flat.reshape(-1, CTX)
    vectors.flags.writeable = False
    return vectors
