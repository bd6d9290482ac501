# SPDX-License-Identifier: Apache-2.0
"""What a benchmark runs: policies x seeds, each judged at every share of agents."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from bls.errors import invalid
from pipelines_dagster.phantom.market.config import MarketConfig
from pipelines_dagster.phantom.policies.policy import (
    FIXED,
    ROBUST,
    TIERS,
    Origin,
    Robust,
    Tier,
)
from pipelines_dagster.phantom.policies.train import TrainPlan


@dataclass(frozen=True)
class BenchPlan:
    """One benchmark.

    Attributes:
        alphas: shares a trained policy is judged at; it is trained at `market.alpha` (or, where it
            is conditional, at all).
        seeds: seeds 0 .. seeds - 1; every policy of a seed meets the same visitors.
        timesteps: market steps a policy learns from.
        episodes: judged at each share.
        wide: products of the larger market that the same policies are judged on too (the published
            slope has 100); 0 leaves it out.

    Raises:
        SkynetError: `bad_plan`.
    """

    tiers: tuple[Tier, ...] = TIERS
    robust: tuple[Robust, ...] = ROBUST
    alphas: tuple[float, ...] = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
    seeds: int = 5
    timesteps: int = 4000
    episodes: int = 4
    wide: int = 100
    market: MarketConfig = field(default_factory=MarketConfig)

    def __post_init__(self) -> None:
        known = set(self.tiers) <= set(TIERS) and set(self.robust) <= set(ROBUST)
        if not (known and self.tiers and self.robust):
            raise invalid("bad_plan", "There is no such tier or way to be robust.")
        if not self.alphas or not all(0 <= alpha <= 1 for alpha in self.alphas):
            raise invalid("bad_plan", "Shares of agents lie in [0, 1].")
        if min(self.seeds, self.timesteps, self.episodes) < 1 or self.wide < 0:
            raise invalid("bad_plan", "Seeds, timesteps and episodes are 1 or more.")

    @property
    def wide_market(self) -> MarketConfig:
        return replace(self.market, products=self.wide)

    def policies(self) -> list[tuple[Tier, Robust]]:
        """Each once; a tier that learns nothing has no robust form."""
        pairs = [(tier, kind) for tier in self.tiers for kind in self.robust]
        fixed: list[tuple[Tier, Robust]] = [(t, "none") for t in self.tiers if t in FIXED]
        return fixed + [pair for pair in pairs if pair[0] not in FIXED]

    def jobs(self) -> Iterator[TrainPlan]:
        """Seed by seed, so that a benchmark cut short has whole seeds."""
        for seed in range(self.seeds):
            for tier, kind in self.policies():
                yield TrainPlan(Origin(tier, kind, seed, self.timesteps), self.market)
