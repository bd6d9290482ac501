# SPDX-License-Identifier: Apache-2.0
"""Confidence intervals by resampling whole replies: tokens of one reply are not independent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]

RESAMPLES = 2_000
_LEVEL = (2.5, 97.5)


@dataclass(frozen=True)
class Estimate:
    """A figure and its 95 % interval (percentile bootstrap)."""

    value: float
    low: float
    high: float


def ratios(replies: Sequence[int], above: F64, below: F64, seed: int) -> list[Estimate]:
    """Column sums of `above` [entries, columns] over the sum of `below` [entries].

    Args:
        replies: which reply each entry belongs to; replies are drawn with replacement.
    """
    _, reply = np.unique(np.asarray(replies), return_inverse=True)
    count = int(reply.max()) + 1
    numerators = np.zeros((count, above.shape[1]))
    denominators = np.zeros(count)
    np.add.at(numerators, reply, above)
    np.add.at(denominators, reply, below)
    rng = np.random.default_rng(seed)
    times = rng.multinomial(count, np.full(count, 1 / count), size=RESAMPLES)
    resampled = (times @ numerators) / (times @ denominators)[:, None]
    low, high = np.percentile(resampled, _LEVEL, axis=0)
    value = numerators.sum(axis=0) / denominators.sum()
    return [Estimate(*map(float, each)) for each in zip(value, low, high, strict=True)]


def means(replies: Sequence[int], values: F64, seed: int) -> Estimate:
    """Mean of `values` [entries]."""
    return ratios(replies, values[:, None], np.ones(len(values)), seed)[0]
