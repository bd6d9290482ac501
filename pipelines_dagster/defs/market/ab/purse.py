# SPDX-License-Identifier: Apache-2.0
"""The campaign's money over an experiment: a hard cap, a clock, and the recent spending rate."""

from __future__ import annotations

import math

import numpy as np

from pipelines_dagster.defs.market.auctions import TOKEN_S
from pipelines_dagster.defs.market.traits import F64, Bool

_WINDOW_SHARE = 0.05
"""Of the campaign's duration: what counts as recent."""
PACE_MIN = 0.01
"""Spending at a smaller pace counts as at this one: one token must not stop a campaign."""


class Purse:
    """Weight units and seconds; one step is one token of every conversation of a wave.

    Attributes:
        spent: so far; never more than `budget`.
        unpaced: recent spending a second as if everything had been bid at pace 1: an
            exponentially weighted mean, as in the live budgets.
    """

    def __init__(self, budget: float, steps: int) -> None:
        self.budget = budget
        self.spent = 0.0
        self.unpaced = 0.0
        self._step = 0
        self._recent = 0.0
        self._steps = steps
        self._keep = math.exp(-1 / max(1.0, _WINDOW_SHARE * steps))

    @property
    def left(self) -> float:
        return self.budget - self.spent

    @property
    def time_left(self) -> float:
        return (self._steps - self._step) * TOKEN_S

    def pay(self, charges: F64, pace: float) -> Bool:
        """Which of the charges the budget still covers, in their order; those are spent."""
        covered = charges.cumsum() <= self.left
        paid = float(charges[covered].sum())
        self.spent += paid
        self._recent += paid / max(pace, PACE_MIN)
        return covered

    def tick(self) -> None:
        """A token is over."""
        self._step += 1
        new = self._recent / TOKEN_S
        self.unpaced = self._keep * self.unpaced + (1 - self._keep) * new
        self._recent = 0.0


def even(spend: list[float]) -> float:
    """Largest deviation of cumulative spending from a straight line, as a share of all of it."""
    total = np.cumsum(spend)
    line = np.arange(1, len(spend) + 1) / len(spend)
    return float(np.abs(total / total[-1] - line).max()) if total[-1] > 0 else 0.0
