# SPDX-License-Identifier: Apache-2.0
"""The experiment: networks that are trained further, paired arms, its page."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bls.errors import SkynetError
from bls.settings import load_settings
from export.tve.config import Stage, TveConfig
from pipelines_dagster.defs.market.ab import models
from pipelines_dagster.defs.market.ab.play import Setting
from pipelines_dagster.defs.market.ab.trial import draw_trial
from pipelines_dagster.defs.market.traits import Bool
from pipelines_dagster.phantom.bridge import report
from pipelines_dagster.phantom.bridge.__main__ import main
from pipelines_dagster.phantom.bridge.experiment import Figure, Plan, of_scores, play, select
from pipelines_dagster.phantom.bridge.learn import BIDS, Learner, forecast_error, windows
from pipelines_dagster.phantom.bridge.play import ARMS
from pipelines_dagster.phantom.bridge.scores import Drawn, Roc

GOOD = Roc(0.97)
PLAN = Plan(scores=(GOOD,), alphas=(0.0, 0.6), seeds=1, conversations=30, setting=Setting(waves=3))


@pytest.fixture(scope="module")
def learner() -> Learner:
    """The versions that ship; a few steps."""
    shipped = Learner.of(load_settings())
    value = TveConfig(supervised=Stage(1e-3, 6))
    return replace(shipped, value=value, bids=replace(BIDS, steps=2, batch=128))


@pytest.fixture(scope="module")
def figures(learner: Learner) -> list[Figure]:
    return play(PLAN, learner)


class Innocent:
    """Everybody is a person, for sure."""

    name = origin = "innocent"

    def draw(self, agent: Bool, rng: np.random.Generator) -> Drawn:
        return Drawn(np.zeros(len(agent)), np.zeros(len(agent)))


@pytest.mark.spec("PH-12")
def test_what_programs_click_is_what_the_value_model_gets_wrong(figures: list[Figure]) -> None:
    clean = select(figures, 0.0, "off", "tve")
    among = select(figures, 0.6, "off", "tve")
    filtered = select(figures, 0.6, "filter", "tve")
    assert (clean < 0.7).all() and (among > 2 * clean).all()
    assert (filtered < among).all()


@pytest.mark.spec("PH-02")
def test_refunds_and_discounts_spend_less_on_programs(figures: list[Figure]) -> None:
    for arm in ARMS:
        assert arm.refunds or not select(figures, 0.6, arm.name, "refunded").any()
    assert (select(figures, 0.6, "refund", "refunded") > 0).all()
    off, refunded = (select(figures, 0.6, name, "roi") for name in ("off", "refund"))
    assert (refunded > off).all()
    paid = [select(figures, 0.6, name, "paid") for name in ("discount dV, L", "off")]
    assert (paid[0] < paid[1]).all()


@pytest.mark.spec("PH-12")
def test_the_same_seeds_are_the_same_figures(figures: list[Figure], learner: Learner) -> None:
    """But for the order in which a busy machine's threads add."""
    one = replace(PLAN, alphas=(0.6,))
    before = [figure for figure in figures if figure.alpha == 0.6]
    for again, figure in zip(play(one, learner), before, strict=True):
        money = {name: value for name, value in vars(figure).items() if isinstance(value, float)}
        assert {name: getattr(again, name) for name in money} == pytest.approx(money, rel=1e-6)
        assert (again.arm, again.seed) == (figure.arm, figure.seed)


def test_scores_that_suspect_nobody_change_nothing(learner: Learner) -> None:
    """Every arm is the one without the bridge, beside other scores that are played as well."""
    plan = replace(PLAN, scores=(Innocent(), GOOD), alphas=(0.4,), conversations=20)
    found = play(plan, learner)
    own = of_scores(found, Innocent())
    assert len(own) == len(ARMS) == len(found) / 2
    for name in ("roi", "value", "paid", "tve", "forecast"):
        every = [getattr(figure, name) for figure in own]
        assert every == pytest.approx([every[0]] * len(every), rel=1e-6)
    other = of_scores(found, GOOD)
    assert select(other, 0.4, "off", "tve") == select(own, 0.4, "off", "tve")
    assert select(other, 0.4, "on", "forecast") != select(own, 0.4, "on", "forecast")


def test_a_window_is_what_the_server_would_have_seen() -> None:
    trial = draw_trial("stationary", 3, 7)
    told = windows(trial, trial.log_w)
    assert len(told) == trial.lengths.sum()
    for t in (0, 3, 20):
        rows = np.flatnonzero(told.token_idx == t)
        np.testing.assert_array_equal(told.past[rows], models.window(trial, t))
        np.testing.assert_array_equal(told.label[rows], trial.log_w[:, t + 1])


def test_a_predictor_goes_on_from_the_one_that_ships(learner: Learner) -> None:
    """A few steps on the same market leave it as good as it was."""
    trial = draw_trial("stationary", 10, 8)
    seen = windows(trial, trial.log_w)
    before = forecast_error(
        replace(learner, bids=replace(BIDS, steps=1, learning_rate=0.0)).fit_bids(seen, 0), seen
    )
    after = forecast_error(learner.fit_bids(seen, 0), seen)
    assert 0.05 < before < 0.25 and after == pytest.approx(before, rel=0.1)


@pytest.mark.spec("PH-12")
def test_the_page_names_commit_arguments_and_seeds(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "bridge.md"
    page.write_text(f"# Head\n\n{report.BEGIN}\nold\n{report.END}\n\nTail\n")
    asked = ["--alpha-values", "0.5", "--seeds", "1", "--conversations", "20", "--auc", "0.9,0.8"]
    assert main([*asked, "--write", str(page)]) == 0
    text = page.read_text()
    assert text.startswith("# Head") and text.endswith("Tail\n") and "old" not in text
    assert "--seeds 1" in text and report.sha() in text and "1 paired seeds" in text
    assert text.count("| on |") == 2 and "AUC 0.8" in text
    assert (tmp_path / "bridge.svg").stat().st_size > 1_000
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
