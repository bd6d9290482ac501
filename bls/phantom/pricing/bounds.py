# SPDX-License-Identifier: Apache-2.0
"""From a base price and a multiplier to a price that nothing takes past the item's bounds.

The rule, in integers only:

1. The multiplier is taken to 1/10,000, so that the noise of an FP32 moves no cent. One that is not
   a number, not above 0 or above `MOST` is no multiplier at all: 1 takes its place.
2. base x multiplier is rounded to the nearest whole cent, half a cent up.
3. A price under the floor becomes the lowest whole cent from the floor on, one over the ceiling
   the highest whole cent up to it. Where no whole cent lies between them, the base price stands
   as it is.
"""

from __future__ import annotations

import math

from bls.phantom.shop import Item

CENT = 10_000
"""Micro-units of a cent."""

MOST = 1_000.0
"""A multiplier above it is a fault, not a price that is too high."""

_STEPS = 10_000


def usable(multiplier: float) -> bool:
    """Whether `quote` takes it at its word."""
    return math.isfinite(multiplier) and 0 < multiplier <= MOST


def quote(item: Item, multiplier: float) -> int:
    """Micro-units, always within [floor, ceiling] of the item, whatever the multiplier is."""
    steps = math.floor(multiplier * _STEPS + 0.5) if usable(multiplier) else _STEPS
    unit = CENT * _STEPS
    price = (2 * item.base_micros * steps + unit) // (2 * unit) * CENT
    lowest = -(-item.floor_micros // CENT) * CENT
    highest = item.ceiling_micros // CENT * CENT
    if lowest > highest:
        return item.base_micros
    return min(max(price, lowest), highest)


def base_price(item: Item) -> int:
    """What is asked when no policy says otherwise."""
    return quote(item, 1.0)
