# SPDX-License-Identifier: Apache-2.0
"""The gates: every figure must pass, a missing one fails, the champion is beaten or it stays."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from pipelines_dagster.defs.promotion import gates

CHAMPION = {"rmse": 0.20, "ks": 0.05}
GOOD = {"rmse": 0.19, "ks": 0.05}


def passed(challenger: dict[str, Any], attacks: list[str] | None = None) -> bool:
    return gates.predictor("pred_1", challenger, CHAMPION, attacks or []).passed


@pytest.mark.spec("ORC-U-06")
def test_all_must_pass() -> None:
    assert passed(GOOD)
    assert not passed(GOOD | {"ks": 0.151})
    assert not passed(GOOD | {"rmse": 0.1961})  # falls by 1.95 %
    assert passed(GOOD | {"rmse": 0.1959})


@pytest.mark.spec("CBP-I-04")
def test_an_attack_that_gets_through_stops_a_better_model() -> None:
    verdict = gates.predictor("pred_1", GOOD, CHAMPION, ["spike, history: RMSE +0.9"])
    assert not verdict.passed
    assert verdict.failures == ["robustness: spike, history: RMSE +0.9"]
    assert not gates.predictor("pred_1", GOOD, CHAMPION, None).passed  # it did not run


@pytest.mark.spec("ORC-U-06")
@pytest.mark.parametrize("bad", [None, math.nan, math.inf, "0.1", True])
@pytest.mark.parametrize("name", ["rmse", "ks"])
def test_a_figure_that_is_none_fails(name: str, bad: Any) -> None:
    assert not passed(GOOD | {name: bad})
    assert not gates.predictor(
        "pred_1", {k: v for k, v in GOOD.items() if k != name}, None, []
    ).passed


def test_a_champion_without_figures_is_not_beaten() -> None:
    assert not gates.predictor("pred_1", GOOD, {}, []).passed


def test_a_first_version_meets_fixed_thresholds() -> None:
    assert gates.predictor("pred_1", {"rmse": 0.24, "ks": 0.1}, None, []).passed
    assert not gates.predictor("pred_1", {"rmse": 0.26, "ks": 0.1}, None, []).passed
    assert gates.tve("tve_1", {"r2": 0.6}, None).passed
    assert not gates.tve("tve_1", {"r2": 0.4}, None).passed


@pytest.mark.spec("ORC-U-06")
@pytest.mark.parametrize(
    ("r2", "crps", "right"),
    [(0.712, 0.30, True), (0.709, 0.30, False), (0.75, 0.31, False), (math.nan, 0.2, False)],
)
def test_value_model(r2: float, crps: float, right: bool) -> None:
    champion = {"r2": 0.70, "crps": 0.30}
    assert gates.tve("tve_1", {"r2": r2, "crps": crps}, champion).passed is right


def test_axes_bandit_tuner() -> None:
    assert gates.axes("axes_1", {"pair_error": 0.03}).passed
    assert not gates.axes("axes_1", {"pair_error": 0.031}).passed
    assert gates.bandit("lambda_1", [0.25, 0.75], 2).passed
    assert not gates.bandit("lambda_1", [0.25, 0.70], 2).passed
    assert not gates.bandit("lambda_1", [1.25, -0.25], 2).passed
    assert not gates.bandit("lambda_1", [1.0], 2).passed
    assert not gates.bandit("lambda_1", None, 2).passed
    assert gates.tuner("tuner_1", {"lift_low": 0.001}).passed
    assert not gates.tuner("tuner_1", {"lift_low": 0.0}).passed


def test_a_verdict_is_plain_json() -> None:
    told = gates.predictor("pred_1", {"rmse": 0.1}, CHAMPION, []).as_dict()
    assert json.loads(json.dumps(told, allow_nan=False))["checks"][1]["value"] is None
    assert told["failures"] == ["ks: nan, limit 0.15"]


def test_no_checks_is_no_pass() -> None:
    assert not gates.Verdict("pred", "pred_1", ()).passed
