# SPDX-License-Identifier: Apache-2.0
"""Policies that learn nothing: the base price, and the surge heuristic."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bls.contracts import MULTIPLIERS, PriceState
from bls.errors import invalid
from pipelines_dagster.phantom.policies.policy import BASE, F32, I64, rows, together

UP, DOWN = MULTIPLIERS.index(1.2), MULTIPLIERS.index(0.9)


class Static:
    """Always the base price."""

    def act(self, observation: F32) -> I64:
        return together(np.full(len(rows(observation)), BASE), observation)


@dataclass(frozen=True)
class Surge:
    """Base x 1.2 where demand is at least `high`, x 0.9 where it is at most `low`.

    Source: PHANTOM's model, "Surge heuristic"; the bounds are ours, in shares of the average item.
    Raises `bad_policy` when `low` is not below `high`.
    """

    high: float = 1.25
    low: float = 0.75

    def __post_init__(self) -> None:
        if not 0 <= self.low < self.high:
            raise invalid("bad_policy", "Surge needs 0 <= low < high.")

    def act(self, observation: F32) -> I64:
        demand = rows(observation)[:, PriceState.DEMAND]
        levels = np.where(demand >= self.high, UP, np.where(demand <= self.low, DOWN, BASE))
        return together(levels, observation)
