# SPDX-License-Identifier: Apache-2.0
"""Training: an artefact that is whole, made again byte by byte, and says what its oracle says."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from bls.contracts import ACTIONS, SessionStat
from bls.phantom.divergence import nearest
from bls.phantom.kernels import transition_counts
from bls.phantom.recorded import write_sessions
from bls.phantom.session import Session
from export.agent_score import calibrate, evaluate, graph, inputs
from export.agent_score.__main__ import main
from export.agent_score.artefact import MODEL_FILE, SHIPPED, verify
from export.agent_score.config import TrainConfig
from export.agent_score.fitted import Fitted, log_odds, sigmoid
from export.agent_score.fitting import fit_raw, weights
from export.agent_score.sessions import LENGTHS, Flags, Prefixes, prefixes, read
from export.agent_score.training import train
from export.errors import ExportError
from tests.phantom.score.conftest import CONFIG
from tests.phantom.score.drawn import session


def run(folder: Path, counts: np.ndarray, stats: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    served = onnxruntime.InferenceSession(str(folder / MODEL_FILE))
    asked = {"TRANSITIONS": counts.astype(np.float32), "STATS": stats.astype(np.float32)}
    probability, divergence = served.run(["PROBABILITY", "DIVERGENCE"], asked)
    return probability[:, 0], divergence


@pytest.mark.spec("PH-08")
def test_a_trained_version_tells_the_actors_apart(trained: Path, data: Prefixes) -> None:
    assert verify(trained).metrics["parity.probability"] < 1e-5
    rows = data.whole()
    probability, _ = run(trained, data.transitions[rows], data.stats[rows])
    assert probability[data.agent].mean() > probability[~data.agent].mean() + 0.1
    assert (trained / "MODEL_CARD.md").read_text().startswith("# agent_score 1")


@pytest.mark.spec("PH-08")
@pytest.mark.parametrize("folder", ["trained", "shipped"])
def test_before_the_second_act_the_score_is_the_prior(folder: str, trained: Path) -> None:
    where = trained if folder == "trained" else SHIPPED
    prior = verify(where).details["config"]["prior"]
    counts = np.zeros((ACTIONS + 1, ACTIONS + 1, ACTIONS))
    counts[np.arange(ACTIONS), ACTIONS, np.arange(ACTIONS)] = 1  # every first act; the last: none
    stats = np.ones((ACTIONS + 1, len(SessionStat)))
    probability, divergence = run(where, counts, stats)
    np.testing.assert_allclose(probability, prior, atol=1e-6)
    np.testing.assert_allclose(divergence, 0, atol=1e-6)


@pytest.mark.spec("PH-08")
@pytest.mark.parametrize("hidden", [0, 8])
@pytest.mark.parametrize(
    "blocks", [inputs.BLOCKS, ("divergence", "categories", "stats"), ("stats",)]
)
def test_the_graph_says_what_numpy_says(
    data: Prefixes, tmp_path: Path, hidden: int, blocks: tuple[str, ...]
) -> None:
    config = replace(CONFIG, hidden=hidden, blocks=blocks, steps=20)
    found = fit_raw(data, np.ones(len(data.agent), bool), config, 3)
    found = replace(found, slope=0.7, offset=-0.2)
    graph.write(graph.build(found), tmp_path / MODEL_FILE)
    probability, divergence = run(tmp_path, data.transitions, data.stats)
    wanted = found.probability(data.transitions, data.stats)
    np.testing.assert_allclose(probability, wanted, atol=1e-5)
    for column, kernels in enumerate((found.human, found.agent)):
        own = nearest(data.transitions, kernels)
        np.testing.assert_allclose(divergence[:, column], own, atol=1e-5)


@pytest.mark.spec("PH-08")
def test_acts_of_a_category_are_one_to_the_classifier() -> None:
    counts = transition_counts(["search", "sort", "view_item", "filter_date", "add_item"])
    other = transition_counts(["sort", "filter_price", "learn_more", "search", "checkout"])
    told = inputs.categories(np.stack([counts, other]).astype(np.float32))
    np.testing.assert_array_equal(told[0], told[1])
    cart, dwell, moves, narrows = range(4)
    pairs = np.zeros((4, 4))
    pairs[narrows, narrows] = pairs[narrows, moves] = 0.5
    pairs[moves, narrows] = pairs[narrows, cart] = 0.5
    np.testing.assert_allclose(told[0], [0, 0, 0, 1, *pairs.ravel()], atol=1e-6)
    assert not told[:, 4 + 4 * dwell : 8 + 4 * dwell].any()


def test_the_same_sessions_and_seed_make_the_same_bytes(
    recorded: Path, trained: Path, tmp_path: Path
) -> None:
    train([recorded], tmp_path / "again", CONFIG, 0)
    for name in (MODEL_FILE, "manifest.json", "MODEL_CARD.md"):
        assert (tmp_path / "again" / name).read_bytes() == (trained / name).read_bytes()


@pytest.mark.spec("PH-08")
def test_the_shipped_version_is_whole_and_small() -> None:
    assert verify(SHIPPED).name == "agent_score"
    assert sum(file.stat().st_size for file in SHIPPED.iterdir() if file.is_file()) < 5_000_000
    rng = np.random.default_rng(0)
    for scale in (1.0, 1e3, 1e8):
        counts = np.floor(scale * rng.random((64, 15, 14)) * (rng.random((64, 15, 14)) < 0.1))
        stats = scale * rng.standard_normal((64, 16))
        stats[:, :2] = np.abs(stats[:, :2])
        probability, divergence = run(SHIPPED, counts, stats)
        assert ((probability >= 0) & (probability <= 1)).all()
        assert np.isfinite(divergence).all() and (divergence > -1e-4).all()


@pytest.mark.spec("PH-07")
def test_sessions_without_a_known_actor_teach_nothing(tmp_path: Path) -> None:
    known = [session("crawler", 1), session("browser", 1)]
    real = replace(known[0], sid="r", label="human", actor="", origin="operator")
    others = [
        replace(known[0], sid="u", label="unknown", actor="", origin=""),
        replace(known[1], sid="e", events=()),
    ]
    write_sessions(tmp_path / "s.jsonl", [*known, real, *others])
    found = read([tmp_path / "s.jsonl"])
    assert [one.sid for one in found] == ["crawler-1", "browser-1", "r"]
    assert prefixes(found, lambda mode: {}).agent.tolist() == [True, False, False]
    write_sessions(tmp_path / "one.jsonl", [session("crawler", 1)])
    with pytest.raises(ExportError, match="sessions_missing"):
        read([tmp_path / "one.jsonl"])


@pytest.mark.spec("PH-08")
def test_prefixes_know_only_what_had_happened(data: Prefixes) -> None:
    one = session("crawler", 0)
    found = prefixes([one], lambda mode: {})
    assert set(found.length.tolist()) <= {*LENGTHS, len(one.events)}
    np.testing.assert_array_equal(found.transitions.sum(axis=(1, 2)), found.length)
    cut = Session(one.sid, one.mode, one.start_ms, one.events[:5])
    cut = replace(cut, quotes=tuple(q for q in one.quotes if q.ts_ms <= one.events[4].ts_ms))
    short = prefixes([replace(cut, label="agent")], lambda mode: {})
    np.testing.assert_array_equal(short.stats[-1], found.stats[found.length == 5][0])
    for events in (1, 8, 1_000):
        rows = data.at(events)
        assert (data.session[rows] == np.arange(len(data.agent))).all()
        assert (data.length[rows] <= events).all()


def test_drivers_sessions_and_prefixes_weigh_the_same(data: Prefixes) -> None:
    half = np.arange(len(data.agent)) % 2 == 0
    found = weights(data, half, 0.3)
    assert found.sum() == pytest.approx(1) and not found[~half[data.session]].any()
    assert found[data.agent[data.session]].sum() == pytest.approx(0.3)
    each = np.bincount(data.session, found)
    assert np.ptp(each[half & data.agent]) < 1e-12


@pytest.mark.spec("PH-08")
def test_parts_share_no_driver_with_the_rest(data: Prefixes) -> None:
    whole = np.ones(len(data.agent), bool)
    parts = calibrate.apart(data, whole, 0)
    assert (np.sum(parts, axis=0) == 1).all()
    for part in parts:
        assert not set(data.driver[part]) & set(data.driver[~part])
    single = data.agent & (data.driver == "crawler") | ~data.agent
    assert (np.sum(calibrate.apart(data, single, 0), axis=0) == single).all()


@pytest.mark.spec("PH-12")
def test_an_unseen_driver_is_neither_trained_nor_calibrated_on(
    data: Prefixes, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = calibrate.apart(data, np.ones(len(data.agent), bool), 0)
    seen, fit_one = [], calibrate.fit_raw

    def watched(whole: Prefixes, sessions: Flags, config: TrainConfig, seed: int) -> Fitted:
        seen.append(sessions)
        return fit_one(whole, sessions, config, seed)

    monkeypatch.setattr(calibrate, "fit_raw", watched)
    config = replace(CONFIG, steps=3)
    found = calibrate.unseen(data, config, 0)
    for part in held:
        fitted = calibrate.fit(data, ~part, config, 0)
        rows = data.of(part)
        own = fitted.probability(data.transitions[rows], data.stats[rows])
        np.testing.assert_array_equal(found[rows], own)
        assert fitted.offset != 0
    assert all(any(not (some & part).any() for part in held) for some in seen)


def test_one_session_of_a_class_is_not_calibrated_on(data: Prefixes) -> None:
    few = ~data.agent | (np.cumsum(data.agent) == 1)
    fitted = calibrate.fit(data, few, replace(CONFIG, steps=3), 0)
    assert (fitted.slope, fitted.offset) == (1, 0)


def test_platt_finds_the_slope_and_offset_that_made_the_labels() -> None:
    rng = np.random.default_rng(0)
    z, gate = rng.normal(size=40_000), rng.random(40_000)
    base = log_odds(0.3)
    labels = (rng.random(40_000) < sigmoid(base + gate * (1.8 * z - 0.6))).astype(float)
    slope, offset = calibrate.platt(z, gate, labels, np.ones(40_000), base)
    assert slope == pytest.approx(1.8, abs=0.15) and offset == pytest.approx(-0.6, abs=0.15)
    backwards, _ = calibrate.platt(-z, gate, labels, np.ones(40_000), base)
    assert backwards == 0.05, "a score is never turned round"


@pytest.mark.parametrize(
    "wrong",
    [
        {"hidden": -1},
        {"steps": 0},
        {"prior": 1.0},
        {"dropout": 1.0},
        {"smoothing": 0.0},
        {"learning_rate": -1.0},
    ],
)
def test_bad_options_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ExportError, match="config_invalid"):
        TrainConfig(**wrong)  # type: ignore[arg-type]


@pytest.mark.spec("PH-10")
def test_one_command_trains(
    recorded: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    asked = ["--sessions", str(recorded), "--out", str(out), "--steps", "5", "--prior", "0.2"]
    assert main(asked) == 0
    assert verify(out).details["config"]["prior"] == 0.2
    assert main(["--sessions", str(tmp_path / "none"), "--out", str(out)]) == 2
    assert "unreadable_sessions" in capsys.readouterr().err


@pytest.mark.parametrize("command", [main, evaluate.main])
@pytest.mark.parametrize("seed", ["-1", "half", "4294967296", "1.5"])
def test_a_seed_that_is_none_is_refused(
    command: Callable[[list[str]], int], seed: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        command(["--sessions", "s", "--out", "o", "--seed", seed])
    assert left.value.code == 2
    assert "is not a whole number from 0" in capsys.readouterr().err


@pytest.mark.spec("PH-13")
def test_a_folder_that_was_changed_is_not_trusted(trained: Path, tmp_path: Path) -> None:
    spoilt = shutil.copytree(trained, tmp_path / "spoilt")
    (spoilt / MODEL_FILE).write_bytes(b"something else")
    with pytest.raises(ExportError, match="model_hash_mismatch"):
        verify(spoilt)
    (spoilt / MODEL_FILE).unlink()
    with pytest.raises(ExportError, match="model_missing"):
        verify(spoilt)
