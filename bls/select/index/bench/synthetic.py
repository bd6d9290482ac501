# SPDX-License-Identifier: Apache-2.0
"""Ten million vectors that lie about as real ones do, where there are only some thousand real ones.

Each real axis vector becomes the centre of a local normal distribution whose covariance is that of
its 32 nearest real neighbours, drawn together by `SHRINK`, so that neighbour distances of a sample
as large as the real set are about the real ones (`spread` measures both; the bench prints it).
Assumption: ten million real texts would fill the same regions more densely, not new ones.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from bls.contracts import CTX
from bls.select.index.protocol import F32

NEIGHBOURS = 32
SHRINK = 0.8
_CHUNK = 131_072
_BLOCK = 1_024


class Mixture:
    """Of real unit vectors f32 [n, 128]."""

    def __init__(self, real: F32) -> None:
        self._real = real
        self._local = np.empty((len(real), NEIGHBOURS, CTX), np.float32)
        for at in range(0, len(real), _BLOCK):
            part = real[at : at + _BLOCK]
            near = _nearest(part, real, NEIGHBOURS + 1)[:, 1:]
            around = real[near]
            around -= around.mean(axis=1, keepdims=True)
            self._local[at : at + _BLOCK] = around * (SHRINK / np.sqrt(NEIGHBOURS))

    def chunks(self, count: int, seed: int) -> Iterator[F32]:
        """`count` unit vectors in chunks f32 [m, 128], the same for the same seed."""
        rng = np.random.default_rng(seed)
        while count > 0:
            yield self._chunk(min(count, _CHUNK), rng)
            count -= _CHUNK

    def _chunk(self, count: int, rng: np.random.Generator) -> F32:
        """Every centre equally often, in random order."""
        each = -(-count // len(self._real))
        made = np.empty((len(self._real), each, CTX), np.float32)
        for at in range(0, len(made), _BLOCK):
            local = self._local[at : at + _BLOCK]
            drawn = rng.standard_normal((len(local), each, NEIGHBOURS), np.float32)
            made[at : at + _BLOCK] = drawn @ local + self._real[at : at + _BLOCK, None]
        rows = made.reshape(-1, CTX)[rng.permutation(len(made) * each)[:count]]
        unit: F32 = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        return unit


def spread(queries: F32, vectors: F32) -> tuple[float, float]:
    """Mean cosine of queries to their nearest, and to their tenth nearest vector."""
    tops = np.concatenate(
        [
            np.sort(queries[at : at + _BLOCK] @ vectors.T, axis=1)[:, [-1, -10]]
            for at in range(0, len(queries), _BLOCK)
        ]
    )
    first, tenth = tops.mean(axis=0)
    return float(first), float(tenth)


def _nearest(queries: F32, vectors: F32, k: int) -> NDArray[np.int64]:
    sims = queries @ vectors.T
    near = np.argpartition(-sims, k, axis=1)[:, :k]
    order = np.argsort(-np.take_along_axis(sims, near, 1), axis=1)
    found: NDArray[np.int64] = np.take_along_axis(near, order, 1)
    return found
