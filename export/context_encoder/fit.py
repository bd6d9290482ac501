# SPDX-License-Identifier: Apache-2.0
"""P_K: PCA-128 of MiniLM embeddings, turned so that LayerNorm costs nothing that matters.

The components are those of the second moment (not centred), so cosines are what is kept. Any
orthogonal turn of 128 axes leaves every cosine alone; LayerNorm then drops the direction in which
all axes are equal. One Householder reflection puts the weakest component there.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bls.contracts import CTX

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]


def principal(embedded: F32, count: int = CTX) -> F64:
    """The `count` strongest directions of unit embeddings [n, d], orthonormal rows [count, d]."""
    wide = embedded.astype(np.float64)
    _, vectors = np.linalg.eigh(wide.T @ wide)
    rows: F64 = vectors.T[::-1][:count]
    largest = np.argmax(np.abs(rows), axis=1)
    signed: F64 = rows * np.sign(rows[np.arange(count), largest])[:, None]
    return signed


def turned(rows: F64) -> F64:
    """The same subspace, its last row's direction where all axes are equal."""
    count = len(rows)
    normal = np.full(count, -1 / np.sqrt(count))
    normal[-1] += 1
    normal /= np.linalg.norm(normal)
    result: F64 = rows - 2 * np.outer(normal, normal @ rows)
    return result


def fit(embedded: F32) -> F32:
    """P_K f32 [128, 384] of unit embeddings f32 [n, 384]; n should be some thousands."""
    return turned(principal(embedded)).astype(np.float32)
