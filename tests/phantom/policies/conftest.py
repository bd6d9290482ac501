# SPDX-License-Identifier: Apache-2.0
"""A market small enough for a test, and the plans that train on it."""

from __future__ import annotations

import pytest

from pipelines_dagster.phantom.market.config import MarketConfig
from pipelines_dagster.phantom.policies.policy import Origin, Robust, Tier
from pipelines_dagster.phantom.policies.train import TrainPlan


@pytest.fixture(scope="session")
def market() -> MarketConfig:
    """Three products, ten sessions a step."""
    return MarketConfig(products=3, sessions=10, steps=12, low=10, high=60, bank=64)


class Plans:
    """Plans on the small market."""

    def __init__(self, market: MarketConfig) -> None:
        self._market = market

    def __call__(self, tier: Tier, robust: Robust = "none", timesteps: int = 96) -> TrainPlan:
        return TrainPlan(Origin(tier, robust, 0, timesteps), self._market, markets=4)


@pytest.fixture(scope="session")
def plans(market: MarketConfig) -> Plans:
    return Plans(market)
