# SPDX-License-Identifier: Apache-2.0
"""Where the experiment's f comes from: a stated ROC, or what was said of driven sessions."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bls.errors import SkynetError
from bls.phantom.bridge import DIALS
from bls.settings import load_settings
from export.agent_score.config import TrainConfig
from export.agent_score.scores import auc
from export.agent_score.sessions import Prefixes
from export.errors import ExportError
from pipelines_dagster.phantom.bridge import driven
from pipelines_dagster.phantom.bridge.report import told
from pipelines_dagster.phantom.bridge.scores import Roc


def prefixes_of(lengths: list[list[int]], agent: list[bool]) -> Prefixes:
    """Sessions that were scored after so many events."""
    rows = [(at, length) for at, each in enumerate(lengths) for length in each]
    return Prefixes(
        transitions=np.zeros((len(rows), 15, 14), np.float32),
        stats=np.zeros((len(rows), 16), np.float32),
        session=np.array([at for at, _ in rows]),
        length=np.array([length for _, length in rows]),
        agent=np.array(agent),
        driver=np.array(["one"] * len(agent)),
    )


@pytest.mark.spec("PH-08")
@pytest.mark.parametrize("stated", [0.6, 0.9, 0.99])
def test_scores_have_the_stated_roc_and_are_calibrated(stated: float) -> None:
    rng, roc = np.random.default_rng(1), Roc(stated, 0.3)
    agent = rng.random(40_000) < 0.3
    before, score = roc.draw(agent, rng)
    assert set(before) == {0.3}
    assert auc(agent, score) == pytest.approx(stated, abs=0.01)
    for low in (0.1, 0.4, 0.7):
        inside = (score >= low) & (score < low + 0.1)
        if inside.sum() > 1_000:
            assert agent[inside].mean() == pytest.approx(score[inside].mean(), abs=0.03)


def test_what_is_no_roc_is_refused() -> None:
    for wrong in ((0.4, 0.3), (1.0, 0.3), (0.9, 0.0)):
        with pytest.raises(SkynetError):
            Roc(*wrong)


@pytest.mark.spec("PH-08")
def test_a_chat_comes_after_any_event_of_any_session() -> None:
    """The score is the last that was made by then, and the one before it is known too."""
    data = prefixes_of([[1, 2, 3, 4], [1, 2]], [True, False])
    pool = driven.pooled("x", "", data, np.array([0.3, 0.5, 0.7, 0.9, 0.3, 0.1]))
    rng = np.random.default_rng(0)
    before, now = pool.draw(np.ones(20_000, bool), rng)
    seen, count = np.unique(now, return_counts=True)
    assert seen.tolist() == [0.3, 0.5, 0.7, 0.9]
    np.testing.assert_allclose(count / 20_000, 0.25, atol=0.02)
    assert set(zip(before, now, strict=True)) == {(0.3, 0.3), (0.3, 0.5), (0.5, 0.7), (0.7, 0.9)}
    assert set(pool.draw(np.zeros(50, bool), rng).now) == {0.1, 0.3}


def test_a_score_lasts_until_the_next_one_was_made() -> None:
    """Scored after 1, 5 and all 10 events: 4, 5 and 1 of 10 moments."""
    data = prefixes_of([[1, 5, 10], [1]], [True, False])
    pool = driven.pooled("x", "", data, np.array([0.1, 0.2, 0.3, 0.4]))
    np.testing.assert_allclose(pool.agents.weight, [0.4, 0.5, 0.1])
    np.testing.assert_allclose(pool.people.weight, [1.0])


def test_an_actors_draws_do_not_depend_on_the_others() -> None:
    """So that shares of agents are nested on paired seeds."""
    data = prefixes_of([[1, 2, 3], [1, 2]], [True, False])
    pool = driven.pooled("x", "", data, np.array([0.3, 0.6, 0.9, 0.3, 0.1]))
    few, many = np.arange(200) < 20, np.arange(200) < 150
    one, other = (pool.draw(agent, np.random.default_rng(4)).now for agent in (few, many))
    assert (one[few == many] == other[few == many]).all()


@pytest.mark.spec("PH-08")
def test_the_shipped_version_tells_drivers_that_it_knows(tmp_path: Path) -> None:
    pool = driven.known(load_settings().agent_folder(), 72)
    agent = np.arange(4_000) % 2 == 0
    score = pool.draw(agent, np.random.default_rng(0)).now
    assert auc(agent, score) > 0.6
    assert "f >= 0.95" in told(pool, DIALS) and "agent_score" in told(pool, DIALS)
    with pytest.raises(ExportError):
        driven.known(tmp_path, 72)


@pytest.mark.spec("PH-08")
def test_drivers_that_were_not_trained_on_are_scored_by_others() -> None:
    config = replace(TrainConfig(), steps=3, hidden=0)
    pool = driven.unseen(config, 72)
    for side in (pool.agents, pool.people):
        assert ((side.now >= 0) & (side.now <= 1)).all() and len(side.now) > 36
    assert "not trained on" in told(pool, DIALS)
