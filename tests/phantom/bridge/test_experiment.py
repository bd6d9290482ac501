# SPDX-License-Identifier: Apache-2.0
"""The experiment: scores from a ROC, models that recover the truth, paired arms, its page."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bls.errors import SkynetError
from bls.phantom.bridge import DIALS, Dials
from pipelines_dagster.defs.market.ab.play import Setting
from pipelines_dagster.phantom.bridge import report
from pipelines_dagster.phantom.bridge.__main__ import main
from pipelines_dagster.phantom.bridge.experiment import Figure, Plan, play, select
from pipelines_dagster.phantom.bridge.learn import fit_forecast, forecast_error
from pipelines_dagster.phantom.bridge.play import ARMS
from pipelines_dagster.phantom.bridge.scores import AUC, Roc, served

QUICK = Setting(waves=3)
PLAN = Plan(roc=Roc(0.97), alphas=(0.0, 0.6), seeds=1, conversations=60, setting=QUICK)


@pytest.fixture(scope="module")
def figures() -> list[Figure]:
    return play(PLAN)


@pytest.mark.spec("PH-08")
@pytest.mark.parametrize("auc", [0.6, 0.9, 0.99])
def test_scores_have_the_stated_roc_and_are_calibrated(auc: float) -> None:
    rng, roc = np.random.default_rng(1), Roc(auc, 0.3)
    agent = rng.random(40_000) < 0.3
    score = roc.draw(agent, rng)
    order = score.argsort().argsort() + 1.0
    positives = agent.sum()
    above = order[agent].sum() - positives * (positives + 1) / 2
    assert above / (positives * (~agent).sum()) == pytest.approx(auc, abs=0.01)
    for low in (0.1, 0.4, 0.7):
        inside = (score >= low) & (score < low + 0.1)
        if inside.sum() > 1_000:
            assert agent[inside].mean() == pytest.approx(score[inside].mean(), abs=0.03)


def test_the_served_scores_own_roc_is_read(tmp_path: Path) -> None:
    assert served(tmp_path) == Roc() and Roc().auc == AUC
    manifest = {
        "metrics": {"unseen.auc": 0.93},
        "details": {"config": {"prior": 0.4}},
        "files": {"model.onnx": "ab" * 32},
    }
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    found = served(tmp_path)
    assert (found.auc, found.prior) == (0.93, 0.4) and "abab" in found.origin
    for wrong in ((0.4, 0.3), (1.0, 0.3), (0.9, 0.0)):
        with pytest.raises(SkynetError):
            Roc(*wrong)


@pytest.mark.spec("PH-12")
def test_without_agents_the_value_model_finds_the_truth(figures: list[Figure]) -> None:
    """Its error among programs that click everything is what they did to it."""
    clean = select(figures, 0.0, "off", "tve")
    among = select(figures, 0.6, "off", "tve")
    filtered = select(figures, 0.6, "filter", "tve")
    assert (clean < 0.2).all() and (among > 5 * clean).all()
    assert (filtered < among).all()


@pytest.mark.spec("PH-02")
def test_refunds_and_discounts_spend_less_on_programs(figures: list[Figure]) -> None:
    for arm in ARMS:
        assert arm.refunds or not select(figures, 0.6, arm.name, "refunded").any()
    assert (select(figures, 0.6, "refund", "refunded") > 0).all()
    off, on = (select(figures, 0.6, name, "roi") for name in ("off", "on"))
    assert (on > off).all()


@pytest.mark.spec("PH-12")
def test_the_same_seeds_are_the_same_figures(figures: list[Figure]) -> None:
    one = replace(PLAN, alphas=(0.6,))
    assert play(one) == [figure for figure in figures if figure.alpha == 0.6]


def test_a_bridge_that_is_switched_off_changes_nothing() -> None:
    plan = Plan(
        roc=Roc(0.97),
        alphas=(0.4,),
        seeds=1,
        conversations=20,
        dials=Dials(0.2, 0.0, 0.0, 2.0),
        setting=QUICK,
        learn_below=2.0,
    )
    found = play(plan)
    assert len({(f.roi, f.value, f.paid, f.tve, f.forecast) for f in found}) == 1
    assert plan.dials != DIALS


def test_a_linear_forecast_learns_a_linear_series() -> None:
    rng = np.random.default_rng(2)
    series = np.cumsum(0.1 * rng.standard_normal((50, 60)), axis=1)
    error = forecast_error(fit_forecast(series), series)
    assert 0.09 < error < 0.105


@pytest.mark.spec("PH-12")
def test_the_page_names_commit_arguments_and_seeds(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "bridge.md"
    page.write_text(f"# Head\n\n{report.BEGIN}\nold\n{report.END}\n\nTail\n")
    asked = ["--alpha-values", "0.5", "--seeds", "1", "--conversations", "20", "--auc", "0.9"]
    assert main([*asked, "--write", str(page)]) == 0
    text = page.read_text()
    assert text.startswith("# Head") and text.endswith("Tail\n") and "old" not in text
    assert "--seeds 1" in text and report.sha() in text and "1 paired seeds" in text
    assert text.count("| on |") == 1 and (tmp_path / "bridge.svg").stat().st_size > 1_000
    assert "| on |" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (["--seeds", "0"], "bad_size"),
        (["--eager", "1.5"], "bad_size"),
        (["--alpha-values", "0,2"], "bad_size"),
        (["--auc", "0.3"], "bad_roc"),
        (["--agent-free", "1"], "bad_dial"),
    ],
)
def test_what_cannot_be_played_is_refused(
    options: list[str], code: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(options) == 1
    assert capsys.readouterr().err.startswith(code)


def test_a_page_without_a_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "page.md").write_text("nothing here\n")
    with pytest.raises(SkynetError):
        report.write(tmp_path / "page.md", "block")
