# SPDX-License-Identifier: Apache-2.0
"""Transition kernels: how often one act follows another, counted and normalised.

Source: PHANTOM's model, "Kernels"; operator guide 8: `P(s'|s) = N(s, s') / sum_k N(s, k)`. Rows and
columns follow `bls.phantom.actions.NAMES`. Counts have one row more: which act came first.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bls.errors import invalid
from bls.phantom.actions import INDEX, canonical

F64 = NDArray[np.float64]
Counts = NDArray[np.floating[Any]]

STATES = len(INDEX)
FIRST = STATES
"""Row of the counts that belongs to a session's first act."""
SMOOTHING = 0.05
"""Added to every cell of a row before it is normalised (Lidstone)."""


def number(action: str) -> int:
    """Place of an act in rows and columns; an unknown name counts as its nearest by prefix."""
    found = INDEX.get(action)
    return INDEX[canonical(action)] if found is None else found


def transition_counts(actions: Iterable[str]) -> F64:
    """Counts [15, 14] of one session's acts in their order; row 14 has the first act."""
    counts = np.zeros((STATES + 1, STATES))
    before = FIRST
    for action in actions:
        now = number(action)
        counts[before, now] += 1
        before = now
    return counts


def kernel(counts: Counts, smoothing: float = SMOOTHING) -> F64:
    """Row-stochastic kernels [..., 14, 14] of counts [..., 15, 14] (or [..., 14, 14]).

    A row that was never left is uniform. Raises `bad_counts`: negative or not finite, another
    shape, a smoothing below 0.
    """
    rows = np.asarray(counts, np.float64)[..., :STATES, :]
    if rows.shape[-2:] != (STATES, STATES) or not np.isfinite(rows).all() or (rows < 0).any():
        raise invalid("bad_counts", "Transition counts are finite, not negative, and [15, 14].")
    if not 0 <= smoothing < np.inf:
        raise invalid("bad_counts", "The smoothing is a number from 0.")
    largest = rows.max(axis=-1, keepdims=True)
    scale = np.where(largest > 1, largest, 1.0)  # huge counts must not overflow in the sum
    smoothed = rows / scale + smoothing / scale
    total = smoothed.sum(axis=-1, keepdims=True)
    even = np.full_like(smoothed, 1.0 / STATES)
    found: F64 = np.divide(smoothed, total, out=even, where=total > 0)
    return found


def visited(counts: Counts) -> NDArray[np.bool_]:
    """Rows [..., 14] that were left at least once."""
    seen: NDArray[np.bool_] = np.asarray(counts)[..., :STATES, :].sum(axis=-1) > 0
    return seen


def centroid(sessions: Counts, smoothing: float = SMOOTHING) -> F64:
    """The kernel [14, 14] of a class: the MLE over all transitions of its sessions [n, 15, 14]."""
    return kernel(np.asarray(sessions).sum(axis=0), smoothing)


def stationary(transitions: F64) -> F64:
    """The distribution [14] that a row-stochastic kernel keeps; the mean one where it has several.

    Powers of the lazy chain (P + I) / 2, which has the same one and no cycles.
    """
    lazy = (transitions + np.eye(len(transitions))) / 2
    for _ in range(40):
        lazy = lazy @ lazy
        lazy /= lazy.sum(axis=1, keepdims=True)
    mean: F64 = lazy.mean(axis=0)
    return mean
