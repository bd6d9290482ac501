# SPDX-License-Identifier: Apache-2.0
"""What a policy earns at one share of agents: whole episodes, the same visitors for every policy.

A market that ended early (its margin stayed under the floor) earns nothing more in that episode.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bls.contracts import PriceState
from pipelines_dagster.phantom.market.config import MarketConfig
from pipelines_dagster.phantom.market.env import MarketVecEnv
from pipelines_dagster.phantom.policies.policy import F32, F64, STATE, Policy

SUMS = ("revenue", "profit", "objective", "coi_leak", "ux", "supra")
"""Figures of `MarketVecEnv` that add up over an episode."""
SEEDS = 1_000_003
"""Times the seed: evaluation never meets the visitors of a training."""


@dataclass(frozen=True)
class Outcome:
    """Of one policy, share and seed: means over episodes.

    Attributes:
        revenue, profit, objective, coi_leak, ux, supra: sums over an episode.
        margin: profit over revenue.
        coi: mean over steps of the COI level.
        coi_realised: mean price paid less the lowest that could be posted for what was bought, over
            that lowest price.
        length: steps until an episode ended.
        trace: f64[steps], mean multiplier of what sold in markets that had not ended.
    """

    revenue: float
    profit: float
    objective: float
    coi_leak: float
    ux: float
    supra: float
    margin: float
    coi: float
    coi_realised: float
    length: float
    trace: tuple[float, ...]

    def figures(self) -> dict[str, float]:
        """Everything but the trace."""
        return {name: value for name, value in vars(self).items() if name != "trace"}


def evaluate(
    policy: Policy, market: MarketConfig, alpha: float, seed: int, episodes: int = 4
) -> Outcome:
    """One episode in each of `episodes` markets."""
    env = MarketVecEnv(market, episodes, alpha=alpha, seed=SEEDS * (seed + 1), autoreset=False)
    obs: F32 = env.reset()[0]
    live = np.ones(episodes)
    sums = dict.fromkeys((*SUMS, "coi", "length", "floor"), 0.0)
    trace: list[float] = []
    for _ in range(market.steps):
        obs, _, terminated, _, infos = env.step(policy.act(obs))
        for name in (*SUMS, "coi"):
            sums[name] += float((infos[name] * live).sum())
        sums["length"] += float(live.sum())
        sums["floor"] += float((infos["demand"] @ market.ladder[0]) @ live)
        trace.append(_sold(obs, infos["demand"] * live[:, None]))
        live = live * ~terminated
    told = {name: sums[name] / episodes for name in SUMS}
    revenue, floor = sums["revenue"], sums["floor"]
    return Outcome(
        **told,
        margin=sums["profit"] / revenue if revenue else 0.0,
        coi=sums["coi"] / sums["length"],
        coi_realised=revenue / floor - 1 if floor else 0.0,
        length=sums["length"] / episodes,
        trace=tuple(trace),
    )


def _sold(obs: F32, units: F64) -> float:
    """Mean multiplier, by units sold; 1 where nothing sold."""
    shown = obs.reshape(*units.shape, STATE)[..., PriceState.PRICE]
    total = float(units.sum())
    return float((shown * units).sum() / total) if total else 1.0
