# SPDX-License-Identifier: Apache-2.0
"""The A/B harness: its parts, and a tiny experiment with the truth for models."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bls.brain.params import MpcParams
from bls.errors import SkynetError
from kernels_cuda.mpc_abi import LIBRARY
from pipelines_dagster.defs.market.__main__ import main
from pipelines_dagster.defs.market.ab import models
from pipelines_dagster.defs.market.ab.bidders import Controller, FixedBid
from pipelines_dagster.defs.market.ab.experiment import Comparison, Plan, compare
from pipelines_dagster.defs.market.ab.models import (
    believe,
    ewma_forecast,
    oracle_curves,
    oracle_forecast,
)
from pipelines_dagster.defs.market.ab.play import Setting, play
from pipelines_dagster.defs.market.ab.purse import Purse, even
from pipelines_dagster.defs.market.ab.report import as_table
from pipelines_dagster.defs.market.ab.reserve import (
    best_price,
    guided_revenue,
    normal_cdf,
    static_revenue,
)
from pipelines_dagster.defs.market.ab.trial import Trial, draw_trial

SETTING = Setting(waves=4)
needs_library = pytest.mark.skipif(not LIBRARY.exists(), reason="run make -C kernels_cuda")


@pytest.fixture(scope="module")
def trial() -> Trial:
    return draw_trial("stationary", 120, 5, with_law=True)


def first(trial: Trial) -> np.ndarray:
    return np.zeros(len(trial), np.int64)


def controller(trial: Trial, **params: object) -> Controller:
    chosen = MpcParams(**({"horizon": 8, "momentum": 64, "cost_model": "vcg"} | params))
    return Controller(chosen, oracle_curves(trial), SETTING.reserve)


def test_a_trial_is_the_same_with_and_without_the_law(trial: Trial) -> None:
    plain = draw_trial("stationary", 120, 5)
    assert np.array_equal(plain.log_w, trial.log_w) and np.array_equal(plain.ad, trial.ad)
    assert plain.mixture.shape == (120, 0, 5) and trial.mixture.shape == (120, 64, 5)
    assert all(len(set(row)) == len(row) for row in trial.ad.tolist())


def test_a_fixed_bid_wins_what_it_outbids_and_pays_the_threshold(trial: Trial) -> None:
    rich = replace(SETTING, budget=1e9)
    outcome = play(trial, FixedBid(2.0), first(trial), rich)
    cost = np.exp(trial.log_w[:, 1:]) + rich.reserve
    tokens = spend = 0.0
    for row in range(len(trial)):
        cheap = cost[row, : trial.lengths[row]]
        won = cheap[cheap <= 2.0][: trial.tokens[row, 0]]
        tokens, spend = tokens + len(won), spend + won.sum()
    assert outcome.tokens == tokens and outcome.spend == pytest.approx(spend)
    assert play(trial, FixedBid(0.0), first(trial), rich).value == 0


def test_a_bid_may_be_a_share_of_the_price(trial: Trial) -> None:
    same = replace(trial, price=np.full_like(trial.price, 10.0))
    both = [play(same, arm, first(trial), SETTING) for arm in (FixedBid(2.0), FixedBid(0.2, True))]
    assert both[0] == both[1]


@pytest.mark.parametrize("budget", [0.01, 1.0, 5.0])
def test_no_arm_outspends_its_budget(trial: Trial, budget: float) -> None:
    setting = replace(SETTING, budget=budget)
    arms = [FixedBid(9.0)] + ([controller(trial, w_max=9.0)] if LIBRARY.exists() else [])
    for arm in arms:
        outcome = play(trial, arm, first(trial), setting)
        assert 0 < outcome.spend <= outcome.budget == budget * len(trial)


@needs_library
def test_the_controller_paces_where_a_fixed_bid_does_not(trial: Trial) -> None:
    setting = replace(SETTING, waves=12, budget=5.0)
    fixed = play(trial, FixedBid(4.0), first(trial), setting)
    paced = play(trial, controller(trial, w_max=4.0), first(trial), setting)
    assert paced.spend > 0.7 * paced.budget and paced.uneven < 0.2 < fixed.uneven


@needs_library
def test_the_controller_stops_where_nothing_is_to_be_gained(trial: Trial) -> None:
    worthless = replace(trial, price=np.full_like(trial.price, 1e-6))
    assert play(worthless, controller(worthless), first(trial), SETTING).tokens == 0
    rich = replace(SETTING, budget=1e9)
    dear = replace(trial, price=np.full_like(trial.price, 1e6))
    most = play(dear, controller(dear, w_max=100.0), first(trial), rich).tokens
    assert most == np.minimum(trial.tokens[:, 0], trial.lengths).sum()


@needs_library
def test_an_abandoned_ad_wins_no_more_than_its_plan(trial: Trial) -> None:
    rich = replace(SETTING, budget=1e9)
    hasty = play(trial, controller(trial, momentum=1, w_max=2.0), first(trial), rich)
    patient = play(trial, controller(trial, momentum=64, w_max=2.0), first(trial), rich)
    assert hasty.tokens < patient.tokens


def test_the_purse_counts_and_forgets() -> None:
    purse = Purse(10.0, steps=100)
    assert purse.pay(np.array([4.0, 5.0, 2.0]), 0.5).tolist() == [True, True, False]
    assert purse.left == pytest.approx(1.0)
    before = purse.time_left
    purse.tick()
    rate = purse.unpaced
    assert purse.time_left < before and rate > 0
    purse.tick()
    assert 0 < purse.unpaced < rate
    assert even([1.0, 1.0, 1.0]) == pytest.approx(0) and even([0.0]) == 0
    assert even([3.0, 0.0, 0.0]) == pytest.approx(2 / 3)


def test_the_best_reserve_price_is_that_of_a_fine_search() -> None:
    mixture = np.array([[0.0, 0.1, 0.4, 0.2, 0.7], [1.0, 0.5, 1.0, 0.5, 1.0]], np.float32)
    for row, found in zip(mixture, best_price(mixture), strict=True):
        prices = np.linspace(0.05, 8, 20_000)
        sold = sum(
            share * (1 - normal_cdf((np.log(prices) - mu) / s))
            for share, mu, s in ((row[4], row[0], row[1]), (1 - row[4], row[2], row[3]))
        )
        reached = np.interp(found, prices, prices * sold)
        assert reached >= 0.995 * np.max(prices * sold)


def test_knowing_the_law_sells_more_than_any_rule(trial: Trial) -> None:
    guided = guided_revenue(trial)
    assert guided > guided_revenue(believe(trial, ewma_forecast))
    assert guided > static_revenue(trial, 1.02)
    assert guided > static_revenue(trial, 0.9)


def test_the_naive_forecast_is_a_single_log_normal_near_the_last_value(trial: Trial) -> None:
    mixture = ewma_forecast(trial, 20)
    assert np.all(mixture[:, 4] == 1) and np.all(mixture[:, 1] > 0)
    assert np.median(np.abs(mixture[:, 0] - trial.log_w[:, 20])) < 0.1
    start = models.window(trial, 0)
    assert np.all(start == trial.log_w[:, :1])


def test_a_missing_model_is_named(tmp_path: Path) -> None:
    for make in (models.OnnxForecast, models.OnnxCurves):
        with pytest.raises(SkynetError) as refused:
            make(tmp_path)
        assert refused.value.code == "model_missing"


def test_verdicts_follow_the_interval() -> None:
    def verdict(guided: list[float]) -> str:
        return Comparison("roi", "stationary", np.ones(4), np.array(guided), {}).verdict

    assert verdict([1.1, 1.2, 1.1, 1.2]) == "better"
    assert verdict([0.9, 0.8, 0.9, 0.8]) == "worse"
    assert verdict([0.8, 1.2, 0.8, 1.2]) == "no difference shown"


@needs_library
def test_a_tiny_experiment_with_the_truth_for_models() -> None:
    few = replace(SETTING, waves=1)
    plan = Plan(oracle_forecast, oracle_curves, few, seeds=3, tuning_seeds=1, conversations=120)
    seen: list[int] = []
    made = compare("stationary", plan, seen.append)
    assert sum(seen) == 2 * plan.seeds
    by_name = {each.name: each for each in made}
    assert by_name["roi"].lift.value > 0.04 and by_name["revenue, static +2 %"].verdict == "better"
    lines = as_table(made).splitlines()
    assert len(lines) == 2 + len(made) and "stationary" in lines[2]


@needs_library
def test_the_command_writes_its_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    small = ["--seeds", "2", "--conversations", "24", "--tuning-seeds", "1", "--waves", "1"]
    truth = [
        "--regime",
        "predictable",
        "--predictor",
        "ewma",
        "--tve",
        "oracle",
        "--out",
        str(tmp_path),
    ]
    assert main(["ab", *small, *truth]) == 0
    assert "predictable" in capsys.readouterr().out
    page = json.loads((tmp_path / "ab.json").read_text())
    assert page["seeds"] == 2 and len(page["comparisons"][0]["base"]) == 2
    assert main(["ab", "--seeds", "0"]) == 2
    assert main(["ab", "--predictor", str(tmp_path)]) == 2
    assert "model_missing" in capsys.readouterr().err
