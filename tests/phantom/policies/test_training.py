# SPDX-License-Identifier: Apache-2.0
"""Every tier trains on the small market; the same plan gives the same policy."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from bls.errors import SkynetError
from client.commands.phantom import phantom
from pipelines_dagster.phantom.market.config import MarketConfig
from pipelines_dagster.phantom.policies.credit import Credit
from pipelines_dagster.phantom.policies.items import SHAKE, ItemMarket
from pipelines_dagster.phantom.policies.linear import Elasticity
from pipelines_dagster.phantom.policies.make import make
from pipelines_dagster.phantom.policies.policy import LEVELS, ROBUST, STATE, Origin, Robust, Tier
from pipelines_dagster.phantom.policies.saved import read_policy
from pipelines_dagster.phantom.policies.scaling import seen
from pipelines_dagster.phantom.policies.train import TrainPlan, train
from tests.phantom.policies.conftest import Plans
from tests.phantom.policies.test_policies import observations


@pytest.mark.spec("PH-10")
@pytest.mark.parametrize("tier", ["linear", "qtable", "ppo", "a2c", "dqn"])
def test_a_plan_gives_one_policy(tier: Tier, plans: Plans) -> None:
    told: list[float] = []
    plan = plans(tier, "conditional")
    policy, again = train(plan, told.append), train(plan)
    seen_by = observations(50, 3)
    assert (policy.act(seen_by) == again.act(seen_by)).all()
    assert told and told[-1] == pytest.approx(1, abs=0.15)


@pytest.mark.spec("PH-10")
@pytest.mark.parametrize("robust", ROBUST)
def test_every_way_to_be_robust_trains(robust: Robust, plans: Plans) -> None:
    assert train(plans("qtable", robust, 24)).act(observations(2, 3)).shape == (2, 3)


@pytest.mark.spec("PH-10")
def test_the_linear_tier_beats_base_prices(market: MarketConfig, tmp_path: Path) -> None:
    plan = TrainPlan(Origin("linear", "none", 0, 2000), market, markets=20)
    metrics = make(plan, tmp_path)
    assert metrics["objective_gain_0.3"] > 0
    _, origin, config = read_policy(tmp_path)
    assert origin == plan.origin and config["metrics"] == metrics
    assert {"git", "argv", "seeds", "market"} <= config.keys()


@pytest.mark.spec("PH-15")
def test_the_twin_cancels_at_base_prices(market: MarketConfig) -> None:
    for robust in ROBUST:
        items = ItemMarket(market, 4, robust, seed=3)
        items.reset()
        for _ in range(SHAKE):  # after a shake, prices come back to base: the twin's never left
            items.step(np.full(items.rows, market.neutral))
            assert items.gained == pytest.approx(np.zeros(4), abs=1e-12)


@pytest.mark.spec("PH-10")
def test_credit_finds_the_item_that_earned_it() -> None:
    draw, credit = np.random.default_rng(0), Credit(products=6, upward=0.5)
    state = np.zeros((24, STATE), np.float32)
    errors = []
    for step in range(400):
        state[:, 0] = draw.choice([0.05, 1.2, 5.0], 24)
        state[:, 1] = 1.0
        levels = draw.integers(0, len(LEVELS), 24)
        own = np.where(state[:, 0] > 4, 4.0, -1.0) * (LEVELS[levels] - 1) * 10
        reward = own.reshape(4, 6).sum(axis=1) + draw.normal(0, 0.5, 4)
        given = credit.share(state, levels, reward)
        if step > 300:
            errors.append(given - own)
    assert np.std(errors) < 1.2  # the market's reward alone is off by more than 5


def test_plans_that_are_none_are_refused(plans: Plans, market: MarketConfig) -> None:
    with pytest.raises(SkynetError):
        TrainPlan(Origin("ppo", "none", 0, 0), market)
    with pytest.raises(SkynetError):
        TrainPlan(Origin("ppo", "none", 0, 1), replace(market, moves="last"))
    with pytest.raises(SkynetError) as refused:
        Elasticity(seen("none")).fitted()
    assert refused.value.code == "no_data"


@pytest.mark.parametrize("command", ["train", "traffic"])
def test_a_seed_is_not_negative(command: str, tmp_path: Path) -> None:
    asked = [command, "--seed", "-1", "--out", str(tmp_path / "p")]
    done = CliRunner().invoke(phantom, asked)
    assert done.exit_code == 2 and "--seed" in done.output


@pytest.mark.spec("PH-10")
def test_the_command_trains_into_a_folder(tmp_path: Path) -> None:
    asked = ["train", "--tier", "linear", "--timesteps", "16", "--out", str(tmp_path / "p")]
    done = CliRunner().invoke(phantom, asked, catch_exceptions=False)
    assert done.exit_code == 0 and "objective_gain_0.6" in done.output
    assert read_policy(tmp_path / "p")[1].tier == "linear"
