# SPDX-License-Identifier: Apache-2.0
"""Figures, folds and the published score: against hand-made cases and plain definitions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bls.phantom.kernels import kernel, transition_counts
from export.agent_score import folds, published, scores
from export.agent_score.config import TrainConfig
from export.agent_score.evaluate import BEGIN, FINISH, main, written
from export.agent_score.evaluation import OURS, Plan, evaluate, steps
from export.agent_score.sessions import Prefixes
from export.errors import ExportError

RNG = np.random.default_rng(0)


@pytest.mark.spec("PH-12")
def test_auc_is_the_share_of_pairs_in_order() -> None:
    agent = RNG.random(60) < 0.4
    score = np.round(RNG.random(60) + 0.3 * agent, 1)
    pairs = [(a > b) + 0.5 * (a == b) for a in score[agent] for b in score[~agent]]
    assert scores.auc(agent, score) == pytest.approx(np.mean(pairs))
    found = scores.auc_interval(agent, score, draws=200)
    assert found.low < found.value < found.high
    assert scores.auc_interval(agent, score, draws=200) == found, "seeded"


@pytest.mark.spec("PH-12")
def test_calibration_is_measured_at_the_prior() -> None:
    truth = RNG.random(60_000)
    agent = RNG.random(60_000) < truth
    prior = float(agent.mean())
    assert scores.ece(agent, truth, prior) < 0.02
    assert scores.ece(agent, np.full(60_000, prior), prior) == pytest.approx(0, abs=1e-9)
    assert scores.ece(agent, truth, 0.1) > 0.15, "at another share it is another matter"
    rows = scores.reliability(agent, truth, prior)
    assert sum(row[2] for row in rows) == pytest.approx(1)
    assert sum(row[3] for row in rows) == 60_000
    assert scores.brier(agent, agent.astype(float), prior) == 0
    wild = scores.reliability(agent, 4 * truth - 2, prior)
    assert sum(row[3] for row in wild) == 60_000, "what is no probability counts too"


@pytest.mark.spec("PH-12")
def test_the_threshold_with_most_recall_at_a_precision() -> None:
    agent = np.array([True, True, False, True, False, False])
    score = np.array([0.9, 0.8, 0.7, 0.7, 0.2, 0.1])
    found = scores.most_recall(agent, score, 0.5)
    assert found.threshold == 0.8 and found.recall == pytest.approx(2 / 3)
    assert found.precision == 1
    assert scores.most_recall(agent, score, 0.5, 0.7).recall == 1, "ties are flagged together"
    assert scores.most_recall(~agent, score, 0.5).recall == 0
    assert scores.detected(agent, score, 0.5, 2.0).precision == 1
    assert scores.rank_test(agent, score) > 0.05


@pytest.mark.spec("PH-12")
def test_a_threshold_is_judged_where_it_was_not_chosen() -> None:
    agent = np.array([True, False, True, False])
    score = np.array([0.9, 0.1, 0.6, 0.8])
    found = scores.promised(agent, score, np.array([0, 0, 1, 1]), 0.5)
    assert found.recall == 0 and np.isnan(found.precision.value), "the other fold's does not fit"
    score = np.array([0.9, 0.6, 0.5, 0.7])
    found = scores.promised(agent, score, np.array([0, 0, 1, 1]), 0.5)
    assert found.recall == 0.0
    agent = np.arange(4_000) % 2 == 0
    score = RNG.normal(size=4_000) + 2.5 * agent
    fold = np.arange(4_000) // 2 % 5
    found = scores.promised(agent, score, fold, 0.3)
    truth = scores.detected(agent, score, 0.3, found.threshold)
    assert found.precision.low < truth.precision < found.precision.high
    assert 0.93 < found.precision.value < 0.97
    assert found.recall == pytest.approx(truth.recall, abs=0.02)


def test_noise_does_not_keep_what_its_best_threshold_promises() -> None:
    agent, score = RNG.random(200) < 0.5, RNG.random(200)
    best = scores.most_recall(agent, score, 0.5, 0.6)
    kept = scores.promised(agent, score, np.arange(200) % 5, 0.5, 0.6)
    assert best.precision >= 0.6
    assert np.isnan(kept.precision.value) or kept.precision.value < best.precision


def test_precision_is_drawn_at_the_prior() -> None:
    agent = np.arange(200) < 100
    flagged = np.concatenate([np.arange(100) < 60, np.arange(100) < 10])
    found = scores.precision_interval(agent, flagged, 0.3)
    assert found.value == pytest.approx(0.18 / 0.25)
    assert found.low < found.value < found.high
    assert np.isnan(scores.precision_interval(agent, flagged & False, 0.3).value)


@pytest.mark.spec("PH-08")
def test_the_published_divergence_sums_over_what_both_do() -> None:
    own = transition_counts(["search", "sort", "search", "view_item"])
    pooled = transition_counts(["search", "sort", "search", "page_view", "search", "sort"])
    p, q = kernel(own, 0.0), kernel(pooled, 0.0)
    search, sort = 10, 13
    rows = [p[search, sort] * np.log(p[search, sort] / q[search, sort]), 0.0]
    found = published.intersected(own[None].astype(np.float32), pooled[None])
    assert found[0] == pytest.approx(np.mean(rows))
    assert published.smoothed(own[None].astype(np.float32), pooled[None])[0] > 0
    nothing = published.intersected(np.zeros((1, 15, 14), np.float32), pooled[None])
    assert nothing[0] == 0


@pytest.mark.spec("PH-08")
def test_a_session_is_nearer_to_the_centroid_that_holds_it(data: Prefixes) -> None:
    pick = np.concatenate([np.arange(6), len(data.agent) - 1 - np.arange(6)])
    counts, agent = data.transitions[data.whole()][pick], data.agent[pick]
    within, without = (published.gaps(counts, agent, own, smooth=True) for own in (True, False))
    assert (within[agent] > without[agent]).all()
    assert (within[~agent] < without[~agent]).all()
    rough = [published.gaps(counts, agent, own, smooth=False) for own in (True, False)]
    assert np.abs(rough[0] - rough[1]).max() > 0.01, "the published one depends on it too"


@pytest.mark.spec("PH-08")
def test_folds_hold_every_session_once_and_drivers_whole(data: Prefixes) -> None:
    sessions = folds.by_session(data, 4, 0)
    assert (np.sum([fold.held for fold in sessions], axis=0) == 1).all()
    drivers = folds.by_driver(data, 0)
    assert [fold.name for fold in drivers] == ["crawler", "planner", "browser", "dreamer"]
    for fold in drivers:
        own = data.driver == fold.name
        assert fold.held[own].all() and len(np.unique(data.agent[fold.held])) == 2
        assert (data.agent[fold.held & ~own] != data.agent[own][0]).all()
    alone = folds.one_by_one(data, 8, 0)
    assert all(fold.held.sum() == 1 for fold in alone)
    names = [data.driver[fold.held][0] for fold in alone]
    assert sorted(names) == sorted([*np.unique(data.driver)] * 2)


@pytest.mark.spec("PH-12")
def test_one_command_writes_tables_and_plot_between_the_marks(
    recorded: Path, tmp_path: Path
) -> None:
    page = tmp_path / "agent_score.md"
    page.write_text(f"before\n{BEGIN}\nyesterday\n{FINISH}\nafter\n")
    asked = ["--sessions", str(recorded), "--folds", "2", "--alone", "4", "--steps", "3"]
    asked += ["--methods", "agent_score", "published formula", "--write", str(page)]
    assert main(asked) == 0
    text = page.read_text()
    assert text.startswith("before") and text.endswith("after\n") and "yesterday" not in text
    for told in ("published formula", "Mann-Whitney", "crawler", "seed 0", "Exact leave-one"):
        assert told in text
    assert page.with_suffix(".svg").read_text().startswith("<?xml")
    assert "Exact leave-one-session-out over 4 sessions" in text
    assert main(["--sessions", str(tmp_path / "none.jsonl")]) == 2
    assert main([*asked[:2], "--methods", "another"]) == 2


def test_the_sessions_left_out_are_counted(data: Prefixes) -> None:
    few = np.isin(np.arange(len(data.agent)) % 20, (0, 1, 2))
    keep = data.of(few)
    number = np.cumsum(few) - 1
    small = Prefixes(
        data.transitions[keep],
        data.stats[keep],
        number[data.session[keep]],
        data.length[keep],
        data.agent[few],
        data.driver[few],
    )
    plan = Plan(TrainConfig(steps=2), folds=2, alone=1_000, methods=(OURS,))
    done: list[int] = []
    result = evaluate(small, plan, done.append)
    assert result.loso is not None and result.loso[1] == few.sum()
    assert sum(done) == steps(small, plan)
    assert sorted(np.unique(result.fold)) == [0, 1]


def test_a_page_without_marks_is_left_alone(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("text")
    with pytest.raises(ExportError, match="marks_missing"):
        written(page, "new")
    assert page.read_text() == "text"
