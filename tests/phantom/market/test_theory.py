# SPDX-License-Identifier: Apache-2.0
"""Mixture demand, COI and its erosion, the Stackelberg game."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from scipy.integrate import quad

from bls.errors import SkynetError
from pipelines_dagster.phantom.market import coi, erosion, mixture, page, stackelberg
from pipelines_dagster.phantom.market.behaviour import bank_of, built_in
from pipelines_dagster.phantom.market.config import MarketConfig, Valuation
from pipelines_dagster.phantom.market.env import MarketVecEnv
from pipelines_dagster.phantom.market.game import Game

pytestmark = pytest.mark.spec("PH-15")
CONFIG = MarketConfig(bank=512)
BANK = bank_of(CONFIG, built_in(), 0)
LAWS = {
    "uniform": coi.Uniform(10.0, 150.0),
    "normal": coi.TruncatedNormal(80.0, 30.0, 10.0, 150.0),
    "policy": coi.law_of([40, 44, 44, 48, 52, 52, 52, 60]),
}


@pytest.mark.spec("PH-02")
def test_mixture_demand_equals_simulation():
    rng = np.random.default_rng(1)
    prices = np.array([20.0, 45.0, 80.0])
    agents = rng.random(400_000) < 0.3
    value = np.where(agents, rng.normal(45, 15, 400_000), rng.normal(50, 10, 400_000))
    wants = np.maximum(0, value + rng.normal(0, CONFIG.noise, 400_000) - prices[:, None])
    error = wants.std(axis=1) / np.sqrt(400_000)
    assert np.all(np.abs(wants.mean(axis=1) - mixture.demand(CONFIG, prices, 0.3)) < 4 * error)


@pytest.mark.spec("PH-02")
def test_the_market_draws_the_mixture():
    config = MarketConfig(normalise="volume", bank=64, products=3)
    env = MarketVecEnv(config, 64, alpha=0.4, seed=2)
    env.reset()
    units = np.concatenate([env.step(np.full((64, 3), 4))[4]["demand"] for _ in range(20)])
    mean = units.mean(axis=0) * config.human.mean / config.sessions
    error = units.std(axis=0) / np.sqrt(len(units)) * config.human.mean / config.sessions
    expected = mixture.demand(config, config.base, 0.4)
    assert np.all(np.abs(mean - expected) < 4 * error + 1e-3 * expected + 1e-6)


@pytest.mark.spec("PH-02")
def test_curves():
    found = mixture.curves(CONFIG, 0.3)
    steep = np.gradient(np.log(found.demand[:120]), np.log(found.prices[:120]))
    assert found.elasticity[1:119] == pytest.approx(steep[1:119], rel=0.02, abs=0.02)
    assert found.best == found.prices[found.revenue.argmax()]
    assert mixture.curves(CONFIG, 1.0).best != found.best
    sure = Valuation(50.0, 0.0)
    assert mixture.expected(sure, [20.0, 60.0]).tolist() == [30.0, 0.0]
    assert mixture.slope(sure, [20.0, 60.0]).tolist() == [-1.0, 0.0]


@pytest.mark.parametrize("name", ["uniform", "normal"])
def test_expected_minimum_equals_the_integral(name):
    law = LAWS[name]
    for queries in (1, 2, 7.5, 100):
        whole = quad(lambda p, n=queries: law.survival(np.array(p)) ** n, 10, 150, limit=200)[0]
        assert coi.left_after(law, queries) == pytest.approx(whole, abs=1e-6)
    assert law.expected_minimum(np.array([1e9]))[0] == pytest.approx(10, abs=0.5)


def test_expected_minimum_of_a_discrete_law_by_hand():
    law = coi.Discrete((8.0, 10.0, 12.0), (0.5, 0.25, 0.25))
    pairs = product(zip(law.prices, law.weights, strict=True), repeat=3)
    by_hand = sum(
        min(p for p, _ in each) * np.prod([weight for _, weight in each]) for each in pairs
    )
    assert law.expected_minimum(np.array([3.0]))[0] == pytest.approx(by_hand)
    assert coi.level(law) == pytest.approx(1.5)
    assert (law.lowest, law.highest) == (8.0, 12.0)


@pytest.mark.parametrize("name", sorted(LAWS))
def test_simulation_reproduces_the_erosion_law(name):
    """For every N from 1 to 100. The seed is fixed: z < 4 is not left to luck."""
    found = erosion.simulate(LAWS[name], 20_000, seed=11)
    assert found.z < 4
    assert found.inside > 0.8
    left = found.law - found.lowest
    assert np.all(np.diff(left) <= 0)
    assert left[-1] < 0.11 * left[0]


@pytest.mark.parametrize(("tie", "rho"), [("factor", 0.5), ("factor", 1.0), ("sticky", 0.9)])
def test_dependent_sessions_keep_more_than_the_law_says(tie, rho):
    found = erosion.simulate(LAWS["uniform"], 5_000, seed=1, tie=tie, rho=rho)
    assert found.z > 10
    assert np.all(found.paid[1:] - found.reach[1:] > found.law[1:])


def test_one_price_for_everybody_does_not_erode():
    found = erosion.simulate(LAWS["uniform"], 2_000, seed=1, tie="sticky", rho=1.0)
    assert np.ptp(found.paid) < 1e-9


@pytest.mark.spec("PH-02")
def test_leak_is_probability_times_information():
    assert coi.leak([0.0, 0.5], 4.0, 2.0).tolist() == [0.0, 4.0]


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: coi.Uniform(3.0, 3.0),
        lambda: coi.TruncatedNormal(0.0, 0.0, 1.0, 2.0),
        lambda: coi.TruncatedNormal(0.0, 1.0, 90.0, 99.0),
        lambda: coi.Discrete((2.0, 1.0), (0.5, 0.5)),
        lambda: coi.Discrete((1.0, 2.0), (0.5, 0.6)),
        lambda: coi.law_of([]),
        lambda: coi.law_of([np.nan]),
    ],
)
def test_refuses_laws(wrong):
    with pytest.raises(SkynetError) as refused:
        wrong()
    assert refused.value.code == "bad_law"


def test_refuses_no_query():
    with pytest.raises(SkynetError) as refused:
        coi.left_after(LAWS["uniform"], 0)
    assert refused.value.code == "bad_queries"


def test_erosion_report_reaches_its_page(tmp_path, capsys):
    there = tmp_path / "page.md"
    there.write_text("before\n<!-- erosion -->\nold\n<!-- /erosion -->\nafter\n")
    assert erosion.main(["--buyers", "300", "--write", str(there)]) == 0
    text = there.read_text()
    assert "surge heuristic" in text
    assert "old" not in text
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "seed 0" in capsys.readouterr().out
    assert (tmp_path / "page_erosion.svg").read_text().startswith("<?xml")
    with pytest.raises(SkynetError) as refused:
        page.put(there, "other", "")
    assert refused.value.code == "no_mark"


def _game(**options) -> Game:
    return Game(CONFIG, BANK, **({"alpha": 0.6, "effort": 2.0} | options))


def test_least_price_of_a_game_by_enumeration():
    game, posted = _game(), np.array([2, 4, 6])
    law = np.zeros(9)
    for cells in product(range(3), repeat=3):
        law[posted[list(cells)].min()] += np.prod(game.frequency[1][list(cells)])
    assert game.least(posted, 3) == pytest.approx(law)


def test_reconnaissance_grows_as_it_gets_cheaper():
    posted = np.array([2, 4, 6])
    efforts = (1e6, 20.0, 2.0, 0.2, 0.01)
    queries = [_game(effort=effort).reconnaissance(posted) for effort in efforts]
    assert queries == sorted(queries)
    assert queries[0] == 1 < queries[-1]
    assert _game(effort=0.01).reconnaissance(np.array([4, 4, 4])) == 1  # nothing to find


def test_reconnaissance_costs_the_platform_its_coi():
    game = _game(effort=0.2)
    blind, leader = stackelberg.naive(game), stackelberg.committed(game)
    assert blind.queries > 1
    found = game.least(blind.posted, np.array([1, blind.queries])) @ game.prices
    assert found[1] < found[0]
    assert game.coi(leader.posted) < game.coi(blind.posted)
    assert leader.revenue > blind.revenue


def test_alternation_settles_and_commitment_is_worth_no_less():
    for sees_agent in (False, True):
        game = _game(sees_agent=sees_agent)
        settled, leader = stackelberg.alternate(game), stackelberg.committed(game)
        assert settled.rounds < stackelberg.MOST_ROUNDS
        assert leader.revenue >= settled.revenue - 1e-9
        assert leader.revenue >= stackelberg.naive(game).revenue - 1e-9
        for move in settled.cycle:
            assert move.queries == game.reconnaissance(move.posted)


def test_seeing_agents_never_costs():
    blind, seeing = (stackelberg.committed(_game(sees_agent=flag)) for flag in (False, True))
    assert seeing.revenue >= blind.revenue - 1e-9


def test_without_agents_nothing_is_lost():
    game = _game(alpha=0.0)
    assert stackelberg.naive(game).revenue == pytest.approx(stackelberg.committed(game).revenue)


def test_simulated_population_agrees_with_the_game():
    game = _game()
    move = stackelberg.committed(game)
    mean, reach = stackelberg.simulate(game, move, 60_000, seed=4)
    # people's thirds are normal laws of the right mean and spread, in game and simulation alike
    assert abs(mean - move.revenue) < 2 * reach


def test_thirds_make_up_the_valuations():
    game = _game()
    people = [game.person(cell) for cell in range(3)]
    mean = np.mean([each.mean for each in people])
    second = np.mean([each.spread**2 + each.mean**2 for each in people])
    assert mean == pytest.approx(50)
    assert second - mean**2 == pytest.approx(100, rel=1e-4)


def test_stackelberg_report(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(stackelberg, "ALPHAS", (0.5,))
    monkeypatch.setattr(stackelberg, "EFFORTS", (2.0,))
    there = tmp_path / "page.md"
    there.write_text("<!-- stackelberg -->\n<!-- /stackelberg -->\n")
    assert stackelberg.main(["--visitors", "500", "--write", str(there)]) == 0
    assert "By interest and f(tau)" in there.read_text()
    assert "seed 0" in capsys.readouterr().out


@pytest.mark.parametrize("options", [{"alpha": 1.5}, {"effort": -1.0}, {"tie": 1.0}])
def test_refuses_games(options):
    with pytest.raises(SkynetError) as refused:
        replace(_game(), **options)
    assert refused.value.code == "bad_game"
