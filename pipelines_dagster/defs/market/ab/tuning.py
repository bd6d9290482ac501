# SPDX-License-Identifier: Apache-2.0
"""Both arms at their best: parameters searched on seeds that the comparison never uses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from bls.brain.params import MpcParams
from pipelines_dagster.defs.market.ab.bidders import Bidder, FixedBid

Score = Callable[[Bidder], float]
"""Of a bidder, over the tuning trials."""

BIDS = tuple(np.round(np.geomspace(0.6, 6.0, 12), 3).tolist())
"""The same for every ad, or ..."""
SHARES = tuple(np.round(np.geomspace(0.03, 0.4, 10), 4).tolist())
"""... these shares of an ad's value of a unit of response."""

START = MpcParams(horizon=8, momentum=64, w_max=2.0, cost_model="vcg")
GRID: tuple[tuple[str, tuple[Any, ...]], ...] = (
    ("w_max", (1.0, 1.5, 2.0, 2.5, 3.0, 4.0)),
    ("cost_model", ("vcg", "bid")),
    ("horizon", (1, 3, 8)),
    ("momentum", (2, 8, 64)),
)
"""mpc 2.2 H: one parameter after the other, the best so far kept."""


def best_fixed(score: Score) -> FixedBid:
    """The fixed bid that scores best."""
    arms = [FixedBid(bid) for bid in BIDS] + [FixedBid(share, by_price=True) for share in SHARES]
    return max(arms, key=score)


def best_params(score: Callable[[MpcParams], float]) -> MpcParams:
    """The controller's parameters by coordinate ascent from `START`."""
    best, reached = START, score(START)
    for name, values in GRID:
        for value in values:
            if getattr(best, name) != value:
                other = best.model_copy(update={name: value})
                found = score(other)
                if found > reached:
                    best, reached = other, found
    return best
