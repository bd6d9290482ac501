# SPDX-License-Identifier: Apache-2.0
"""What a step was worth to the platform.

Published: `revenue - lambda_coi f(trajectory) info_value`; UX, a volatility penalty on relative
price changes in which upward moves weigh an extra half; a supra-competitive penalty above an
anchor; robustness as the minimum of the reward over a grid of alpha. Chosen: f is summed over a
step's sessions; both penalties are means over the catalogue, in units of `MarketConfig.scale`;
margin is `(revenue - cost) / revenue`, 0 without revenue.

The W1 objective (see `robust.w1`): the law of what visitors would pay moves by at most
`MarketConfig.w1_radius` on every item, and demand d loses exactly what the dual says. Units are
d normalised, so revenue loses the share that the unnormalised revenue `sum_j p_j d_j` loses
(chosen); f does not depend on what is paid and stays.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pipelines_dagster.phantom.market.config import MarketConfig
from pipelines_dagster.phantom.market.visits import Tally
from pipelines_dagster.phantom.robust.w1 import worst_demand

F64 = NDArray[np.float64]
Robust = Literal["none", "grid", "w1"]
ROBUST: tuple[Robust, ...] = ("none", "grid", "w1")


@dataclass(frozen=True)
class Worth:
    """Of one step of n environments; [n] float64 where nothing else is said.

    Attributes:
        revenue, profit: of what sold.
        margin: profit over revenue.
        coi: COI level, the mean over the catalogue of price less lowest price.
        coi_leak: sum of f(tau) x info_value (x coi, where information is `premium`).
        ux: mean weighted relative price change; a penalty of `eta_ux x scale` a unit.
        supra: mean share by which prices exceed the anchor, likewise.
        objective: revenue less everything above, under the believed share.
        reward: the objective, or its worst case.
    """

    revenue: F64
    profit: F64
    margin: F64
    coi: F64
    coi_leak: F64
    ux: F64
    supra: F64
    objective: F64
    reward: F64


def volatility(config: MarketConfig, prices: F64, before: F64) -> F64:
    """UX term [n]: mean over items of |r| + upward max(0, r), r the relative price change."""
    change = prices / before - 1.0
    moved: F64 = (np.abs(change) + config.upward * np.maximum(change, 0.0)).mean(axis=1)
    return moved


def supra(config: MarketConfig, prices: F64) -> F64:
    """Supra-competitive term [n]: mean over items of what exceeds `anchor x base`, relative."""
    above: F64 = np.maximum(prices / (config.anchor * config.base) - 1.0, 0.0).mean(axis=1)
    return above


def level(config: MarketConfig, prices: F64) -> F64:
    """COI level [n]: mean over the catalogue of the price less the lowest that can be posted."""
    above: F64 = (prices - config.lowest).mean(axis=1)
    return above


def worth(config: MarketConfig, prices: F64, before: F64, tally: Tally, robust: Robust) -> Worth:
    """Prices `[n, products]`, those of the step before, and what the visitors did."""
    earned = tally.units * prices
    revenue = earned.sum(axis=1)
    profit = revenue - tally.units @ config.unit_cost
    margin = np.divide(profit, revenue, out=np.zeros_like(revenue), where=revenue > 0)
    coi, above = level(config, prices), supra(config, prices)
    ux = volatility(config, prices, before)
    each = config.info_value * (coi if config.information == "premium" else np.ones_like(coi))
    penalty = config.scale * (config.eta_ux * ux + config.eta_supra * above)
    leak = tally.agent * each
    objective = revenue - config.lambda_coi * leak - penalty
    reward = objective
    if robust == "grid":
        leaks = tally.grid_agent * each[:, None]
        reward = (tally.grid_revenue - config.lambda_coi * leaks).min(axis=1) - penalty
    elif robust == "w1":
        reward = objective - revenue * _lost(config, prices, tally.want)
    return Worth(revenue, profit, margin, coi, leak, ux, above, objective, reward)


def _lost(config: MarketConfig, prices: F64, want: F64) -> F64:
    """Share of revenue that the worst law in the W1 ball takes away [n]."""
    plain = (prices * want).sum(axis=1)
    worst = worst_demand(want[..., None], prices, config.w1_radius).sum(axis=1)
    kept: F64 = np.divide(worst, plain, out=np.zeros_like(plain), where=plain > 0)
    return 1.0 - kept
