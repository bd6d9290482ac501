# SPDX-License-Identifier: Apache-2.0
"""`STATE` of `session_price`: a row for every item of a page, in the places of `PriceState`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bls.contracts import PriceState
from bls.phantom.shop import Item

F32 = NDArray[np.float32]

PRIOR = 0.3
"""f(tau) of a session nobody has scored yet: what `agent_score` says of one without acts, the
default share of agents of PHANTOM's model."""

WHOLE = 100.0
"""What the demand proxy of all items makes together."""

_SCALE = 5.0
_MOST = 100.0
"""A demand above it says nothing more."""


@dataclass(frozen=True, slots=True)
class Sight:
    """What is known of a session when it asks for prices.

    Attributes:
        agent: f(tau), calibrated; None while nothing scored it.
        events: acts so far.
        behind_s: how long its oldest act that the score leaves out has waited; 0 when none does.
        condition: of its experiment; empty for none.
    """

    agent: float | None = None
    events: int = 0
    behind_s: float = 0.0
    condition: str = ""


NOBODY = Sight()
"""A session that has done nothing yet."""


@dataclass(frozen=True, slots=True)
class Market:
    """Attributes:
    demand: the demand proxy of the live sessions, item -> share of 100; an item that is not there
        has none. Empty: nobody did anything yet, every item is the average one.
    items: of the catalogue.
    """

    demand: Mapping[str, float]
    items: int

    def of(self, item: str) -> float:
        """1 for the average item."""
        if not self.demand:
            return 1.0
        return min(self.demand.get(item, 0.0) / WHOLE * self.items, _MOST)


def states(
    items: Sequence[Item],
    sight: Sight,
    market: Market,
    last: Mapping[str, int],
    shown: Mapping[str, int],
) -> F32:
    """Rows [n, 8].

    Args:
        last: the price the session was given last, micro-units, by item; the base price where
            there is none.
        shown: how many prices of an item it was given.
    """
    agent = PRIOR if sight.agent is None else min(max(sight.agent, 0.0), 1.0)
    events = math.log1p(sight.events) / _SCALE
    base = np.array([item.base_micros for item in items], np.float64)
    rows = np.empty((len(items), len(PriceState)), np.float32)
    rows[:, PriceState.DEMAND] = [market.of(item.item) for item in items]
    rows[:, PriceState.PRICE] = [last.get(item.item, item.base_micros) for item in items] / base
    rows[:, PriceState.LOW] = [item.floor_micros for item in items] / base
    rows[:, PriceState.HIGH] = [item.ceiling_micros for item in items] / base
    rows[:, PriceState.COST] = [item.cost_micros for item in items] / base
    rows[:, PriceState.AGENT] = agent
    rows[:, PriceState.EVENTS] = events
    rows[:, PriceState.QUOTES] = np.log1p([shown.get(item.item, 0) for item in items]) / _SCALE
    return rows
