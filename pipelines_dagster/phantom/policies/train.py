# SPDX-License-Identifier: Apache-2.0
"""A policy from a plan: the same plan gives the same policy, here or on a cluster."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from bls.errors import invalid
from pipelines_dagster.phantom.market.config import MarketConfig
from pipelines_dagster.phantom.policies.items import ItemMarket
from pipelines_dagster.phantom.policies.linear import Elasticity
from pipelines_dagster.phantom.policies.policy import LEVELS, Origin, Policy
from pipelines_dagster.phantom.policies.qtable import TableLearner
from pipelines_dagster.phantom.policies.rules import Static, Surge
from pipelines_dagster.phantom.policies.scaling import seen

Tell = Callable[[float], None]
"""Takes the share done, 0 to 1."""


@dataclass(frozen=True)
class TrainPlan:
    """What to learn, and on which market.

    Attributes:
        origin: its `timesteps` are market steps: a step of one market.
        markets: in step; more of them make a step cheaper and an update less noisy.
    """

    origin: Origin
    market: MarketConfig = field(default_factory=MarketConfig)
    markets: int = 8

    def __post_init__(self) -> None:
        if self.markets < 1 or self.origin.timesteps < 1:
            raise invalid("bad_plan", "Training needs a market and a step or more.")
        if self.market.moves != "base":
            raise invalid("bad_plan", "A policy multiplies base prices, as the served one does.")

    @property
    def steps(self) -> int:
        """Of all markets together."""
        return max(1, self.origin.timesteps // self.markets)


def train(plan: TrainPlan, tell: Tell = lambda _: None) -> Policy:
    """Raises `bad_market` or `bad_policy`."""
    match plan.origin.tier:
        case "static":
            return Static()
        case "surge":
            return Surge()
        case "linear":
            return _linear(plan, tell)
        case "qtable":
            return _qtable(plan, tell)
        case _:
            from pipelines_dagster.phantom.policies.deep import learn  # noqa: PLC0415 (torch)

            return learn(plan, tell)


def market_of(plan: TrainPlan) -> ItemMarket:
    """The plan's market."""
    return ItemMarket(plan.market, plan.markets, plan.origin.robust, plan.origin.seed)


def _linear(plan: TrainPlan, tell: Tell) -> Policy:
    market, rng = market_of(plan), np.random.default_rng((plan.origin.seed, 1))
    fit = Elasticity(seen(plan.origin.robust))
    state = market.reset()
    for step in range(plan.steps):
        levels = rng.integers(0, len(LEVELS), market.rows)
        following = market.step(levels)[0]
        fit.add(state, levels, market.gained)
        state = following
        tell((step + 1) / plan.steps)
    return fit.fitted()


def _qtable(plan: TrainPlan, tell: Tell) -> Policy:
    market = market_of(plan)
    learner = TableLearner(plan.origin.robust == "conditional", plan.origin.seed)
    state = market.reset()
    for step in range(plan.steps):
        levels = learner.explore(state, step / plan.steps)
        following, reward, terminated, _, last = market.step(levels)
        learner.learn(state, levels, reward, last, terminated)
        state = following
        tell((step + 1) / plan.steps)
    return learner.policy()
