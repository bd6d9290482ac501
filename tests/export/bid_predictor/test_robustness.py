# SPDX-License-Identifier: Apache-2.0
"""The robustness gate: the shipped model passes, degraded ones do not."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from bls.jsonlog import JsonLog
from export.bid_predictor import robustness
from export.bid_predictor.baselines import single
from export.bid_predictor.robustness import Row, gate
from export.bid_predictor.runtime import OnnxForecaster
from export.bid_predictor.windows import Windows, past_windows
from pipelines_dagster.defs.market import attacks
from pipelines_dagster.defs.market.params import ATTACKS

SEED, COUNT, CONVERSATIONS = 29, 6000, 60


@pytest.fixture(scope="module")
def rows(shipped: OnnxForecaster) -> dict[tuple[str, str], Row]:
    found = robustness.run(shipped, SEED, COUNT, CONVERSATIONS)
    return {(row.scenario, row.view): row for row in found}


@pytest.mark.spec("CBP-U-05")
def test_a_spike_in_the_history_costs_less_than_a_quarter(
    rows: dict[tuple[str, str], Row],
) -> None:
    assert rows["spike", "history"].increase < 0.25


@pytest.mark.spec("CBP-U-06")
def test_a_bluff_leaves_the_forecast_calibrated(rows: dict[tuple[str, str], Row]) -> None:
    """A run of the history at a tenth, and conversations in which seats really bluff."""
    assert rows["bluff", "history"].ks <= 0.05
    assert rows["bluff", "market"].ks <= 0.05


@pytest.mark.spec("CBP-U-06")
def test_a_market_at_a_tenth_is_the_same_market(shipped: OnnxForecaster) -> None:
    """The whole history at a tenth, and the bids that follow it: nothing but the level moves."""
    drawn = attacks.windows("bluff", 2000, SEED)
    places = np.arange(2000)
    plain = Windows(drawn.ctx, places, places, drawn.clean, drawn.token_idx, drawn.target)
    tenth = replace(plain, past=plain.past - np.log(10), label=plain.label - np.log(10))
    before, after = (robustness.pit(shipped(one), one.label) for one in (plain, tenth))
    assert robustness.ks_between(before, after) <= 0.05
    assert np.abs(before - after).max() < 1e-3


@pytest.mark.spec("CBP-I-04")
def test_the_shipped_model_passes_the_gate(rows: dict[tuple[str, str], Row]) -> None:
    assert gate(list(rows.values())) == []


class Overconfident:
    """The shipped means with a sigma of a tenth."""

    def __init__(self, model: OnnxForecaster) -> None:
        self._model = model

    def __call__(self, windows: Windows) -> Tensor:
        return self._model(windows) * torch.tensor([1, 0.1, 1, 0.1, 1])


class LastValue:
    """Tomorrow is as today: a spike in the newest place would be believed, an older one not."""

    def __call__(self, windows: Windows) -> Tensor:
        return single(windows.past.mean(1), 0.2)


@pytest.mark.spec("CBP-I-04")
def test_degraded_models_are_refused(shipped: OnnxForecaster) -> None:
    for model in (Overconfident(shipped), LastValue()):
        failures = gate(robustness.run(model, SEED, 2000, 20))
        assert any(failure.startswith("bluff") for failure in failures)


def test_a_figure_that_is_missing_or_not_a_number_fails() -> None:
    assert len(gate([])) == len(ATTACKS) + 3
    rows = [Row(name, view, 1, 0.1, 0.01) for name in ATTACKS for view in ("history", "market")]
    assert gate(rows) == []
    rows[0] = replace(rows[0], increase=float("nan"))
    assert gate(rows) == ["spike: RMSE +nan, at most +0.25"]


def test_played_windows_are_the_loaders() -> None:
    series = attacks.series("spike", 12, SEED)
    windows, sd = robustness.played(series)
    auctions = series.auctions
    row = 0
    for conv in range(12):
        several = auctions.seated[conv].sum() > 1
        for t in range(auctions.lengths[conv]):
            for seat in np.flatnonzero(auctions.seated[conv] & several):
                trajectory = auctions.log_w[conv, :, seat]
                now = np.array([t + 1])
                assert np.array_equal(
                    windows.past[row], past_windows(trajectory, now, np.array([0]))[0]
                )
                assert windows.label[row] == trajectory[t + 1]
                assert sd[row] == auctions.sd[conv, t, seat]
                row += 1
    assert row == len(windows)


def test_lines_carry_scenario_rmse_and_ks(tmp_path: Path) -> None:
    log = JsonLog(tmp_path, 4)
    robustness.write_log([Row("spike", "history", 1, 0.2, 0.03, 0.1)], log)
    log.close()
    line = json.loads((tmp_path / "robust.spike.metric").read_text())
    assert line.items() >= {"scenario": "spike", "rmse": 0.2, "ks": 0.03}.items()
