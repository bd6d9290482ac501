# SPDX-License-Identifier: Apache-2.0
"""Ten simulated hours of campaigns, paced by the kernel and the live budgets' spend rate."""

from __future__ import annotations

import numpy as np
import pytest

from bls.brain.budget.rate import PACE_MIN, WINDOW_S, SpendRate
from bls.contracts import Decision
from kernels_cuda.mpc import Mpc
from tests.mpc.rows import mixtures, row

HOURS, STEP = 10, 30.0
CAMPAIGNS = 24


class Market:
    """A Poisson stream of tokens a campaign; what has to be beaten comes from the forecast.

    The stream swings by half over the day. The winner pays its bid, or with vcg what it beat.
    """

    def __init__(self, rng: np.random.Generator, cost_model: int) -> None:
        self.rng, self.cost_model = rng, cost_model
        self.tokens = rng.uniform(0.2, 2.0, CAMPAIGNS)  # a second

    def paid(self, weight: np.ndarray, count: np.ndarray) -> np.ndarray:
        """What each campaign pays for that many tokens, [campaigns]."""
        total = count.sum()
        price = np.exp(self.rng.normal(0.0, np.where(self.rng.random(total) < 0.4, 0.5, 0.3)))
        owner = np.repeat(np.arange(CAMPAIGNS), count)
        bid = weight[owner].astype(np.float64)
        due = np.where(price <= bid, price if self.cost_model else bid, 0.0)
        return np.bincount(owner, due, CAMPAIGNS)

    def during(self, weight: np.ndarray, now: float, seconds: float) -> np.ndarray:
        swing = 1 + 0.5 * np.sin(2 * np.pi * now / seconds)
        return self.paid(weight, self.rng.poisson(self.tokens * swing * STEP))


def spend_by_hour(rng: np.random.Generator, cost_model: int) -> np.ndarray:
    """Share of the budget spent [10, campaigns] after each hour."""
    mpc, market, seconds = Mpc(), Market(rng, cost_model), HOURS * 3600.0
    mixture, no_bid = mixtures(CAMPAIGNS), np.zeros(CAMPAIGNS)
    value = rng.uniform(3.0, 8.0, CAMPAIGNS)
    fields = {"dv": value[:, None].repeat(3, 1), "loss": [0.0] * 3, "cost_model": cost_model}
    weight, _ = mpc.decide(mixture, no_bid, row(CAMPAIGNS, **fields))
    unpaced = market.paid(weight, np.full(CAMPAIGNS, 2000)) / 2000 * market.tokens
    budget = unpaced * seconds * rng.uniform(0.1, 0.45, CAMPAIGNS)
    rates, spent, hours = [SpendRate(WINDOW_S) for _ in unpaced], np.zeros(CAMPAIGNS), []
    for tick in range(int(seconds / STEP)):
        now = tick * STEP
        left = {"budget_left": budget - spent, "time_left": seconds - now}
        rows = row(CAMPAIGNS, **fields, **left, spend_rate=[rate.at(now) for rate in rates])
        weight, decision = mpc.decide(mixture, no_bid, rows)
        paid = market.during(weight, now, seconds)
        spent += paid
        counted = paid / np.maximum(decision[:, Decision.PACE], PACE_MIN)
        for rate, amount in zip(rates, counted.tolist(), strict=True):
            rate.add(amount, now + STEP)
        if (now + STEP) % 3600 == 0:
            hours.append(spent / budget)
    return np.array(hours)


@pytest.mark.spec("MPC-C-05")
@pytest.mark.parametrize("cost_model", [0, 1], ids=["bid", "vcg"])
def test_spend_is_linear_within_15_percent(built, rng, cost_model: int) -> None:
    share = spend_by_hour(rng, cost_model)
    linear = np.arange(1, HOURS + 1)[:, None] / HOURS
    worst = np.abs(share / linear - 1).max(axis=1)
    assert worst.max() <= 0.15, worst
