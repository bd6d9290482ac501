# SPDX-License-Identifier: Apache-2.0
"""False histories: what an adversary shows before it bids as it meant to (competitor_bid U-05, 06).

A spike multiplies a few past W_-i by ten, a bluff holds a run of them at a tenth, a silence drops a
run to the floor. The label stays: the forecaster learns to look past them. A *whole* window at a
tenth is another level, which the forecast follows by construction (U-07), so a run here is at most
7 of the 15.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from bls.brain.features import W_FLOOR
from bls.contracts import WINDOW

F64 = NDArray[np.float64]

TENFOLD = math.log(10)
LONGEST_BLUFF = 7
MOST_SPIKES = 3


def spikes(past: F64, rng: np.random.Generator, most: int = MOST_SPIKES) -> F64:
    """[n, 15] with 1 to `most` values of each row, anywhere, ten times as high."""
    places = rng.random(past.shape).argsort(axis=1)
    hit = places < rng.integers(1, most + 1, len(past))[:, None]
    return past + TENFOLD * hit


def bluffs(past: F64, rng: np.random.Generator, longest: int = LONGEST_BLUFF) -> F64:
    """[n, 15] with one run of 1 to `longest` values of each row, anywhere, at a tenth."""
    run = runs(past, rng, longest)
    return past - TENFOLD * run


def silences(past: F64, rng: np.random.Generator) -> F64:
    """[n, 15] with one run of 1 to `LONGEST_BLUFF` values of each row, anywhere, at the floor."""
    return np.where(runs(past, rng, LONGEST_BLUFF), np.log(W_FLOOR), past)


def runs(past: F64, rng: np.random.Generator, longest: int) -> NDArray[np.bool_]:
    """[n, 15] true on one run of 1 to `longest` places of each row."""
    length = rng.integers(1, longest + 1, len(past))
    start = rng.integers(0, WINDOW - length + 1)
    place = np.arange(WINDOW)
    run: NDArray[np.bool_] = place >= start[:, None]
    return run & (place < (start + length)[:, None])


def mixed(past: F64, rng: np.random.Generator, share: float) -> F64:
    """A `share` of the rows corrupted: two fifths spikes, two fifths bluffs, one fifth silences."""
    kind = rng.random(len(past)) / max(share, 1e-12)
    out = past.copy()
    for low, high, attack in ((0.0, 0.4, spikes), (0.4, 0.8, bluffs), (0.8, 1.0, silences)):
        rows = (kind >= low) & (kind < high)
        out[rows] = attack(past[rows], rng)
    return out
