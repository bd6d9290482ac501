# SPDX-License-Identifier: Apache-2.0
"""False histories: what an adversary shows before it bids as it meant to (competitor_bid U-05, 06).

A spike multiplies a few past W_-i by ten, a bluff holds a run of them at a tenth. The label stays:
the forecaster learns to look past them. A *whole* window at a tenth is another level, which the
forecast follows by construction (U-07), so a run here is at most 7 of the 15.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

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
    length = rng.integers(1, longest + 1, len(past))
    start = rng.integers(0, WINDOW - length + 1)
    place = np.arange(WINDOW)
    run = (place >= start[:, None]) & (place < (start + length)[:, None])
    return past - TENFOLD * run


def mixed(past: F64, rng: np.random.Generator, share: float) -> F64:
    """A `share` of the rows corrupted, half by spikes and half by bluffs."""
    kind = rng.random(len(past))
    out = past.copy()
    spiked, bluffed = kind < share / 2, (kind >= share / 2) & (kind < share)
    out[spiked] = spikes(past[spiked], rng)
    out[bluffed] = bluffs(past[bluffed], rng)
    return out
