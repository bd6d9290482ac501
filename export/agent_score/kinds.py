# SPDX-License-Identifier: Apache-2.0
"""A class of actors as a few sub-kernels: K-means over its sessions' kernels.

Agents are of several kinds, and the centroid of a crawler and a planner is like neither. Source:
PHANTOM's model, "Kernels"; K-means of scikit-learn.
"""

from __future__ import annotations

import numpy as np
from sklearn.cluster import KMeans

from bls.phantom.kernels import F64, centroid, kernel
from export.agent_score.sessions import F32

_BLUR = 0.5
"""Smoothing of a single session's kernel before it is clustered: most of its rows are thin."""
_MOST = 400
"""Sessions that clusters are found from; the others go to the nearest."""


def sub_kernels(counts: F32, kinds: int, smoothing: float, seed: int) -> F64:
    """Kernels [k, 14, 14] of sessions [n, 15, 14]; fewer than `kinds` where sessions are few."""
    kinds = max(1, min(kinds, len(counts) // 4))
    if kinds == 1:
        return centroid(counts, smoothing)[None]
    points = np.sqrt(kernel(counts, _BLUR)).reshape(len(counts), -1)
    some = points[np.random.default_rng(seed).permutation(len(points))[:_MOST]]
    found = KMeans(kinds, n_init=2, max_iter=50, random_state=seed).fit(some).predict(points)
    return np.stack([centroid(counts[found == kind], smoothing) for kind in np.unique(found)])
