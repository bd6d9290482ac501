# SPDX-License-Identifier: Apache-2.0
"""The market under stable-baselines3."""

from __future__ import annotations

import numpy as np
import pytest

from bls.errors import SkynetError
from pipelines_dagster.phantom.market.config import MarketConfig
from pipelines_dagster.phantom.market.env import MarketVecEnv

pytestmark = pytest.mark.spec("PH-10")
sb3 = pytest.importorskip("pipelines_dagster.phantom.market.sb3", reason="needs torch")


@pytest.fixture
def market():
    config = MarketConfig(products=3, sessions=10, bank=64, steps=4)
    return sb3.MarketSb3(MarketVecEnv(config, 2, seed=1))


def test_ended_episodes_are_told_as_it_wants_them(market):
    market.reset()
    total = np.zeros(2)
    for step in range(1, 5):
        obs, reward, done, infos = market.step(np.full((2, 3), 4))
        total += reward
        assert done.tolist() == [step == 4] * 2
    for one in range(2):
        assert infos[one]["TimeLimit.truncated"]
        assert infos[one]["episode"]["r"] == pytest.approx(total[one], rel=1e-5)
        assert infos[one]["episode"]["l"] == 4
        assert not np.array_equal(infos[one]["terminal_observation"], obs[one])
    assert market.last_infos["revenue"].shape == (2,)


def test_a_seed_counts_from_the_next_reset(market):
    def rewards():
        market.seed(7)
        market.reset()
        return market.step(np.full((2, 3), 5))[1]

    assert np.array_equal(rewards(), rewards())


def test_attributes(market):
    assert market.get_attr("num_envs") == [2, 2]
    assert market.get_attr("render_mode", [0]) == [None]
    assert market.env_is_wrapped(object) == [False, False]
    for refused in (lambda: market.set_attr("config", None), lambda: market.env_method("reset")):
        with pytest.raises(SkynetError) as told:
            refused()
        assert told.value.code == "shared_market"
    with pytest.raises(SkynetError) as told:
        market.step_wait()
    assert told.value.code == "no_action"
    market.close()


def test_ppo_learns_on_it(market):
    from stable_baselines3 import PPO  # noqa: PLC0415

    model = PPO("MlpPolicy", market, n_steps=8, batch_size=16, n_epochs=1, seed=1, device="cpu")
    model.learn(32)
    assert len(model.ep_info_buffer) == 8
