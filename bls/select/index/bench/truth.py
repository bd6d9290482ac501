# SPDX-License-Identifier: Apache-2.0
"""The true nearest by looking at every vector, a chunk at a time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bls.select.index.ivfpq import F16
from bls.select.index.protocol import F32, I64

_CHUNK = 131_072


def nearest(queries: F32, vectors: F16 | F32, k: int) -> I64:
    """Rows i64 [q, k] of the highest cosines, best first."""
    best = np.full((len(queries), k), -np.inf, np.float32)
    rows = np.zeros((len(queries), k), np.int64)
    for at in range(0, len(vectors), _CHUNK):
        sims = queries @ vectors[at : at + _CHUNK].astype(np.float32).T
        for query in np.flatnonzero(sims.max(axis=1) > best[:, -1]):
            better = np.flatnonzero(sims[query] > best[query, -1])
            every = np.concatenate([best[query], sims[query, better]])
            where = np.concatenate([rows[query], better + at])
            order = np.argsort(-every, kind="stable")[:k]
            best[query], rows[query] = every[order], where[order]
    return rows


def recall(found: list[NDArray[np.int64]], truth: I64) -> float:
    """Mean share of each query's true rows [q, k] that was found."""
    shares = [len(np.intersect1d(f, t)) / len(t) for f, t in zip(found, truth, strict=True)]
    return float(np.mean(shares))
