# SPDX-License-Identifier: Apache-2.0
"""What the shop without a browser asks for: a price function sees an item and a visit's interest.

Whatever it says, a quote stays between the item's floor and its ceiling.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

from bls.phantom.actions import ACTIONS
from bls.phantom.shop import Item

SURGE_AT = 6.0
"""Weight of acts (omega) on an item from which it is in demand: a look, a hover, a second look."""
SURGE = 1.2


@dataclass(slots=True)
class Interest:
    """Weights of the acts of one visit so far, the demand proxy before it is normalised."""

    total: float = 0.0
    of: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))

    def push(self, action: str, item: str) -> None:
        if item:
            weight = ACTIONS[action].value
            self.total += weight
            self.of[item] += weight


Price = Callable[[Item, Interest], int]
"""Micro-units."""


def base_price(item: Item, _interest: Interest) -> int:
    return item.base_micros


def surge_price(item: Item, interest: Interest) -> int:
    """The published surge heuristic on a visit's own demand: x 1.2 where it is high. Its low step
    (x 0.9) is left out: no act on an item in a visit that has just begun is no low demand."""
    if interest.of.get(item.item, 0.0) < SURGE_AT:
        return item.base_micros
    return round(SURGE * item.base_micros)


def bounded(item: Item, price_micros: int) -> int:
    """The nearest price that nothing forbids."""
    if price_micros < item.floor_micros:
        return item.floor_micros
    return price_micros if price_micros <= item.ceiling_micros else item.ceiling_micros
