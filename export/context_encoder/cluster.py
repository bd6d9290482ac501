# SPDX-License-Identifier: Apache-2.0
"""The nightly axes: plain PCA-128 against K-means centroids, orthonormalised, the better one kept.

The seed takes PCA-256, K-means(256) and the 128 largest clusters' centroids as rows of P_K (max-
reward optimiser 3.1). Centroids are not orthogonal, which distorts cosines, so they are
orthonormalised here; both candidates' mean cosine drop is measured on texts kept out of the fit.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bls.contracts import CTX
from export.context_encoder.fit import fit, principal, turned
from export.errors import ExportError

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

CLUSTERS = 256
_ROUNDS = 25


def centroids(embedded: F32, seed: int) -> F32:
    """P_K f32 [128, d] of unit embeddings [n, d], from the 128 largest of 256 clusters.

    Raises:
        ExportError: `too_few_texts` with fewer than 128.
    """
    if len(embedded) < CTX:
        raise ExportError("too_few_texts", f"expected {CTX} texts or more, got {len(embedded)}")
    reduced = principal(embedded, min(CLUSTERS, embedded.shape[1]))
    points = embedded.astype(np.float64) @ reduced.T
    centres, label = kmeans(points, min(CLUSTERS, len(points)), seed)
    largest = np.argsort(-np.bincount(label, minlength=len(centres)), kind="stable")[:CTX]
    rows, _ = np.linalg.qr((centres[largest] @ reduced).T)
    return turned(rows.T).astype(np.float32)


def candidates(embedded: F32, seed: int) -> dict[str, F32]:
    """Both ways to P_K, fitted on the same texts."""
    return {"pca": fit(embedded), "kmeans": centroids(embedded, seed)}


def aligned(p_k: F32, live: F32) -> F32:
    """The same subspace, turned to be as near to the axes that are live as it can be.

    Cosines do not change; what models have learnt of single axes stays as true as possible.
    Source: orthogonal Procrustes (Schoenemann 1966).
    """
    u, _, v = np.linalg.svd(live.astype(np.float64) @ p_k.T.astype(np.float64))
    result: F32 = (u @ v @ p_k.astype(np.float64)).astype(np.float32)
    return result


def kmeans(points: F64, count: int, seed: int) -> tuple[F64, I64]:
    """(centres [count, d], label [n]): Lloyd's rounds from points drawn once; a cluster that
    loses all of its points keeps its centre."""
    rng = np.random.default_rng(seed)
    centres = points[np.sort(rng.choice(len(points), count, replace=False))].copy()
    label = _nearest(points, centres)
    for _ in range(_ROUNDS):
        total = np.zeros_like(centres)
        np.add.at(total, label, points)
        size = np.bincount(label, minlength=count)
        centres[size > 0] = total[size > 0] / size[size > 0, None]
        moved = _nearest(points, centres)
        if np.array_equal(moved, label):
            break
        label = moved
    return centres, label


def _nearest(points: F64, centres: F64) -> I64:
    apart = (centres**2).sum(axis=1) - 2 * points @ centres.T
    found: I64 = apart.argmin(axis=1)
    return found
