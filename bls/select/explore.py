# SPDX-License-Identifier: Apache-2.0
"""Epsilon-greedy choice whose dice are MurmurHash3 of `ctx_id`: the same id, the same answer.

Source: max_reward_optimizer 2.2.5. One reply throws once: when it explores, the creative of the
first rank is drawn evenly from all that fit; the other ranks stay with the score.
"""

from __future__ import annotations

from enum import IntEnum

import mmh3
import numpy as np

_UNIT = 2.0**-53


class Purpose(IntEnum):
    """What a number is drawn for; the seed of its hash, so that draws do not depend on another."""

    EXPLORE = 1
    PICK = 2
    LAMBDA = 3


def uniform(ctx_id: str, purpose: Purpose) -> float:
    """A number in [0, 1) that belongs to `ctx_id`."""
    high, _ = mmh3.hash64(ctx_id.encode(), int(purpose), signed=False)
    return float(high >> 11) * _UNIT


def generator(ctx_id: str, purpose: Purpose) -> np.random.Generator:
    """A stream of random numbers that belongs to `ctx_id`."""
    high, low = mmh3.hash64(ctx_id.encode(), int(purpose), signed=False)
    return np.random.Generator(np.random.Philox(key=high << 64 | low))


def explores(ctx_id: str, epsilon: float) -> bool:
    """Whether this reply explores: the share `epsilon` of all ids does."""
    return uniform(ctx_id, Purpose.EXPLORE) < epsilon


def pick(ctx_id: str, count: int) -> int:
    """One of `count` >= 1 places, evenly."""
    return min(count - 1, int(uniform(ctx_id, Purpose.PICK) * count))
