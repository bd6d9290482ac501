# SPDX-License-Identifier: Apache-2.0
"""The published score as it was, to compare with: supports intersected, one centroid a class.

KL of a row sums over the acts that session and centroid both show, and the mean is over rows that
both have; what a class never does costs nothing, so strange sessions look near to it. Source:
PHANTOM's model, "Kernels" ("the published code intersects supports instead"). Its test put the
scored session into its own class's centroid; `own` says whether that is repeated here.
"""

from __future__ import annotations

import numpy as np

from bls.phantom.divergence import gap
from bls.phantom.kernels import F64, SMOOTHING, STATES, kernel, visited
from export.agent_score.sessions import F32, Flags


def intersected(counts: F32, pooled: F64) -> F64:
    """Mean row KL [n] of sessions [n, 15, 14] to centroids of counts [n or 1, 15, 14]."""
    own, other = kernel(counts, 0.0), kernel(pooled, 0.0)
    rows = visited(counts) & visited(pooled)
    shared = rows[..., None] & (own > 0) & (other > 0)
    ratio = np.divide(own, other, out=np.ones_like(own), where=shared)
    each = np.where(shared, own * np.log(ratio), 0.0).sum(axis=(1, 2))
    found: F64 = each / np.maximum(rows.sum(axis=1), 1)
    return found


def smoothed(counts: F32, pooled: F64) -> F64:
    """The same with both kernels smoothed, over the rows the session left."""
    own, other = kernel(counts, SMOOTHING), kernel(pooled, SMOOTHING)
    seen = visited(counts)
    each = (own * np.log(own / other)).sum(axis=2) * seen
    found: F64 = each.sum(axis=1) / np.maximum(seen.sum(axis=1), 1)
    return found


def gaps(counts: F32, agent: Flags, own: bool, smooth: bool) -> F64:
    """g [n] of sessions to the centroids of the same sessions.

    Args:
        own: whether a session is in the centroid it is compared with, as published.
    """
    delta = smoothed if smooth else intersected
    exact = counts.astype(np.float64)
    sides = []
    for side in (~agent, agent):
        pooled = np.broadcast_to(exact[side].sum(axis=0), exact.shape).copy()
        if not own:
            pooled[side] -= exact[side]
        sides.append(delta(counts, pooled))
    return gap(*sides)


def score(train: F32, agent: Flags, counts: F32, smooth: bool = False) -> F64:
    """g [n] of other sessions to the centroids of training sessions."""
    delta = smoothed if smooth else intersected
    exact = train.astype(np.float64)
    sides = (exact[side].sum(axis=0).reshape(1, STATES + 1, STATES) for side in (~agent, agent))
    return gap(*(delta(counts, side) for side in sides))
