# SPDX-License-Identifier: Apache-2.0
"""The vectorised market: its slow twin's equal, Gymnasium's conventions, errors."""

from __future__ import annotations

import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode

from bls.contracts import PriceState
from bls.errors import SkynetError
from pipelines_dagster.phantom.market import visits
from pipelines_dagster.phantom.market.config import MarketConfig, Valuation
from pipelines_dagster.phantom.market.env import MarketVecEnv
from pipelines_dagster.phantom.market.reference import ScalarMarket
from pipelines_dagster.phantom.market.single import MarketEnv

pytestmark = pytest.mark.spec("PH-10")
SMALL = MarketConfig(products=3, sessions=10, bank=64)


def _actions(config: MarketConfig, count: int, steps: int) -> np.ndarray:
    shape = (steps, count, config.products)
    return np.random.default_rng(8).integers(0, len(config.multipliers), shape)


@pytest.mark.parametrize("robust", ["none", "grid", "w1"])
@pytest.mark.parametrize("normalise", ["session", "volume"])
@pytest.mark.parametrize(("alpha", "moves"), [(0.0, "base"), (0.37, "last"), (1.0, "base")])
def test_equals_the_scalar_twin_step_by_step(robust, normalise, alpha, moves, monkeypatch):
    config = MarketConfig(
        products=4,
        sessions=7,
        bank=64,
        moves=moves,
        normalise=normalise,
        information="premium",
        patience=99,
    )
    monkeypatch.setattr(visits, "BLOCK", 12)  # blocks of three visitors: the order must not matter
    many = MarketVecEnv(config, 3, alpha=alpha, robust=robust, seed=5)
    many.reset()
    slow = ScalarMarket(config, 3, alpha, robust, seed=5)
    for actions in _actions(config, 3, 12):
        obs, reward, terminated, truncated, infos = many.step(actions)
        for one, told in enumerate(slow.step(actions)):
            assert obs[one] == pytest.approx(told.pop("obs"), rel=2e-4, abs=1e-5)
            assert reward[one] == pytest.approx(told.pop("reward"), rel=2e-4)
            assert (terminated[one], truncated[one]) == (
                told.pop("terminated"),
                told.pop("truncated"),
            )
            for name, value in told.items():
                assert infos[name][one] == pytest.approx(value, rel=2e-4, abs=2e-4), name


def test_blocks_do_not_change_the_numbers(monkeypatch):
    def told(cells):
        monkeypatch.setattr(visits, "BLOCK", cells)
        env = MarketVecEnv(SMALL, 5, robust="grid", seed=2)
        env.reset()
        return env.step(_actions(SMALL, 5, 1)[0])[1]

    assert told(7) == pytest.approx(told(10**6), rel=1e-6)


def test_gymnasium_checks_it():
    check_env(MarketEnv(SMALL), skip_render_check=True)


def test_declares_spaces_and_autoreset():
    env = MarketVecEnv(SMALL, 4)
    obs, infos = env.reset(seed=1)
    assert env.metadata["autoreset_mode"] is AutoresetMode.SAME_STEP
    assert env.observation_space.contains(obs)
    assert env.action_space.contains(_actions(SMALL, 4, 1)[0])
    assert infos["alpha"].tolist() == [0.3] * 4
    assert (
        MarketVecEnv(SMALL, 1, autoreset=False).metadata["autoreset_mode"] is AutoresetMode.DISABLED
    )


def test_same_seed_same_market_another_seed_another():
    def rewards(seed):
        env = MarketVecEnv(SMALL, 4, alpha="random", seed=9)
        env.reset(seed=seed)
        return np.stack([env.step(actions)[1] for actions in _actions(SMALL, 4, 6)])

    assert np.array_equal(rewards(3), rewards(3))
    assert not np.array_equal(rewards(3), rewards(4))


def test_visitors_are_paired_between_policies():
    """Whatever is posted, the same visitors come: f(tau) is the same, episode ends included."""
    config = MarketConfig(products=3, sessions=10, bank=64, patience=2)
    scores = []
    for action in (0, 4, 8):
        env = MarketVecEnv(config, 4, alpha=(0.2, 0.6), seed=3)
        env.reset()
        told = [env.step(np.full((4, 3), action))[4] for _ in range(2)]
        scores.append(np.stack([each["f_mean"] for each in told]))
    assert np.array_equal(scores[0], scores[1])
    assert np.array_equal(scores[1], scores[2])


def test_margin_under_the_floor_for_patience_steps_ends_the_episode():
    env = MarketVecEnv(SMALL, 2, seed=1)
    env.reset()
    sale = np.array([[0, 0, 0], [4, 4, 4]])
    for step in range(1, 6):
        obs, _, terminated, truncated, infos = env.step(sale)
        assert terminated.tolist() == [step == 5, False]
        assert not truncated.any()
    assert infos["margin"][0] < 0.05 < infos["margin"][1]
    price = slice(PriceState.PRICE, None, len(PriceState))
    assert infos["final_obs"][0][price] == pytest.approx(0.8)
    assert infos["_final_obs"].tolist() == [True, False]
    assert obs[0][price] == pytest.approx(1.0)  # the next episode's first observation
    assert np.array_equal(obs[1], infos["final_obs"][1])


def test_prices_that_move_from_the_last_one_reach_the_whole_range():
    config = MarketConfig(products=3, sessions=10, bank=64, moves="last", patience=99)
    env = MarketVecEnv(config, 2)
    env.reset()
    for _ in range(20):
        _, _, _, _, infos = env.step(np.array([[0] * 3, [8] * 3]))
    assert infos["prices"].tolist() == [[10.0] * 3, [150.0] * 3]
    assert infos["coi"].tolist() == [0.0, 140.0]


def test_a_platform_that_sells_nothing_ends():
    config = MarketConfig(products=3, sessions=10, bank=64, moves="last")
    env = MarketVecEnv(config, 1)
    env.reset()
    ended = [env.step(np.full((1, 3), 8))[2][0] for _ in range(20)]
    assert 5 <= ended.index(True) + 1 < 20


def test_is_cut_off_after_its_steps_and_draws_a_new_share():
    env = MarketVecEnv(MarketConfig(products=3, sessions=10, bank=64, steps=3), 6, alpha=(0.1, 0.9))
    env.reset()
    shares = [env.step(np.full((6, 3), 4))[4]["alpha"] for _ in range(4)]
    assert np.array_equal(shares[0], shares[2])
    assert not np.array_equal(shares[2], shares[3])
    assert np.all((shares[3] >= 0.1) & (shares[3] <= 0.9))


def test_without_sales_nothing_is_divided_by_zero():
    poor = MarketConfig(
        products=3, sessions=10, bank=64, human=Valuation(1, 0), agent=Valuation(1, 0)
    )
    for robust in ("none", "grid", "w1"):
        env = MarketVecEnv(poor, 2, robust=robust)
        env.reset()
        obs, reward, _, _, infos = env.step(np.full((2, 3), 4))
        assert np.isfinite(obs).all()
        assert np.isfinite(reward).all()
        assert infos["revenue"].tolist() == infos["margin"].tolist() == [0.0, 0.0]
        demand = obs.reshape(2, 3, -1)[..., PriceState.DEMAND]
        assert demand == pytest.approx(1.0)  # nobody prefers anything


def test_agents_earn_the_platform_less():
    def revenue(alpha):
        env = MarketVecEnv(MarketConfig(bank=64), 32, alpha=alpha, seed=1)
        env.reset()
        return np.mean([env.step(np.full((32, 10), 4))[4]["revenue"].mean() for _ in range(10)])

    assert revenue(0.0) > revenue(0.5) > revenue(1.0)


def test_robust_reward_is_never_above_the_plain_one():
    for robust in ("grid", "w1"):
        env = MarketVecEnv(SMALL, 16, robust=robust, seed=4)
        env.reset()
        for actions in _actions(SMALL, 16, 8):
            _, reward, _, _, infos = env.step(actions)
            assert np.all(reward <= infos["objective"] + 1e-3)


@pytest.mark.parametrize(
    "wrong",
    [np.zeros((2, 2), int), np.zeros((2, 3)), np.full((2, 3), 9), np.full((2, 3), -1)],
)
def test_refuses_actions(wrong):
    env = MarketVecEnv(SMALL, 2)
    env.reset()
    with pytest.raises(SkynetError, match="action") as refused:
        env.step(wrong)
    assert refused.value.code == "bad_market"


@pytest.mark.parametrize(
    "options",
    [
        {"alpha": 1.2},
        {"alpha": "some"},
        {"alpha": (0.9, 0.1)},
        {"alpha": [0.1, 0.2, 0.3]},
        {"robust": "very"},
        {"num_envs": 0},
    ],
)
def test_refuses_options(options):
    with pytest.raises(SkynetError) as refused:
        MarketVecEnv(SMALL, **({"num_envs": 2} | options))
    assert refused.value.code == "bad_market"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("products", 0),
        ("products", 2_000_000),
        ("sessions", 1.5),
        ("low", 0.0),
        ("high", 5.0),
        ("multipliers", (1.0,)),
        ("multipliers", (1.0, 0.9)),
        ("alpha", 1.1),
        ("alpha", float("nan")),
        ("robust_radius", -0.1),
        ("noise", -1.0),
        ("human", Valuation(-1.0, 1.0)),
        ("agent", Valuation(float("nan"), 1.0)),
        ("cost", 1.0),
        ("anchor", 0.0),
        ("temperature", 0.0),
        ("visits", (1.0, 5.0)),
        ("normalise", "twice"),
        ("information", "none"),
        ("moves", "up"),
    ],
)
def test_refuses_configurations_by_name(name, value):
    with pytest.raises(SkynetError) as refused:
        MarketConfig(**{name: value})
    assert (refused.value.code, refused.value.param) == (
        "bad_market",
        name if name != "high" else "low",
    )


def test_defaults_are_the_published_ones():
    config = MarketConfig()
    told = (config.products, config.sessions, config.low, config.high, config.steps)
    assert told == (10, 100, 10.0, 150.0, 100)
    assert (config.margin_floor, config.patience, config.alpha) == (0.05, 5, 0.3)
    assert (config.lambda_coi, config.robust_radius, config.robust_points) == (0.2, 0.15, 5)
    assert (config.human, config.agent) == (Valuation(50, 10), Valuation(45, 15))
    assert (config.info_value, config.upward, len(config.multipliers)) == (1.0, 0.5, 9)


def test_w1_radius_holds_the_alpha_grid():
    """eps W1(H, A), against the distance of quantiles."""
    config = MarketConfig()
    ranks = (np.arange(20_000) + 0.5) / 20_000
    from scipy.stats import norm  # noqa: PLC0415

    human, agent = norm.ppf(ranks, 50, 10), norm.ppf(ranks, 45, 15)
    assert config.w1_radius == pytest.approx(0.15 * np.abs(human - agent).mean(), rel=1e-3)
    same = MarketConfig(agent=Valuation(47.0, 10.0))
    assert same.w1_radius == pytest.approx(0.45)
