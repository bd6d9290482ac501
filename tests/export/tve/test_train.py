# SPDX-License-Identifier: Apache-2.0
"""Training end to end on a tiny market: it learns, it is deterministic, what it writes is whole."""

from __future__ import annotations

import dataclasses
import json
from itertools import groupby
from pathlib import Path

import numpy as np
import onnx
import pytest

from bls.brain.tve.version import GRAPH, load
from bls.models.pointer import Target
from export.errors import ExportError
from export.manifest import file_sha256
from export.model_manifest import ModelManifest
from export.tve.data import load as load_samples
from export.tve.data import split
from export.tve.plot import calibration_plot
from export.tve.publish import INT8, STUDENT, TEACHER, VERSIONS, served
from export.tve.replay import events_of, replay
from export.tve.report import report
from export.tve.score import score, value_at
from export.tve.tokens import load_tokenizer
from export.tve.train import Trained, train
from tests.export.tve import tiny_market
from tests.export.tve.conftest import CONFIG


def test_it_learns_what_the_words_and_the_context_say(trained: Trained) -> None:
    """On ads it never saw; the market's own noise leaves about 0.8 of the variance to explain."""
    assert trained.metrics["teacher_f32_r2"] > 0.4
    assert trained.metrics["student_int8_r2"] > 0.4
    assert trained.metrics["torch_f32_max"] < 1e-4
    assert trained.metrics["f32_int8_mean"] < 0.2  # 8 columns a matrix: coarse


def test_what_is_written_can_be_served(trained: Trained, out: Path) -> None:
    assert trained.artefact in {out / INT8, out / STUDENT}
    for version in VERSIONS:
        manifest = ModelManifest.load(out / version)
        assert (manifest.name, manifest.version) == ("tve", version)
        assert manifest.inputs.keys() == {tensor.name for tensor in GRAPH.inputs}
        target = Target(version, out / version, file_sha256(out / version / "manifest.json"))
        assert len(load(target).tokens("A fine hotel for you, book now.")) > 5


def test_every_step_is_traced(trained: Trained, out: Path) -> None:
    lines = [json.loads(line) for line in (out / "trainer.loss.trace").read_text().splitlines()]
    stages = [stage for stage, _ in groupby(line["stage"] for line in lines)]
    assert stages == ["similarity", "supervised", "similarity", "distil"]
    assert all({"step", "loss", "rmse"} <= line.keys() for line in lines)
    told = [line["loss"] for line in lines if line["stage"] == "supervised"]
    assert np.mean(told[-5:]) < np.mean(told[:5])


@pytest.mark.spec("TVE-U-08")
def test_the_same_seed_writes_the_same_bytes(market: Path, tmp_path: Path) -> None:
    """Twice from scratch, and once more after the weights went through the file and back."""
    config = dataclasses.replace(CONFIG, max_steps=3)
    for name in ("one", "two"):
        train(market, config, 5, tmp_path / name)
    for version in VERSIONS:
        files = ModelManifest.load(tmp_path / "one" / version).files
        assert files == ModelManifest.load(tmp_path / "two" / version).files
        onnx.save(onnx.load(str(tmp_path / "one" / version / "model.onnx")), tmp_path / "copy.onnx")
        assert file_sha256(tmp_path / "copy.onnx") == files["model.onnx"]


def test_another_seed_is_another_model(market: Path, tmp_path: Path, trained: Trained) -> None:
    done = train(market, dataclasses.replace(CONFIG, max_steps=3), 6, tmp_path)
    other = ModelManifest.load(done.artefact)
    assert other.seed == 6
    assert other.files["model.onnx"] != ModelManifest.load(trained.artefact).files["model.onnx"]


def test_a_report_has_every_version_beside_the_truth(
    trained: Trained, out: Path, tmp_path: Path
) -> None:
    held = tiny_market.write(tmp_path / "held", seed=77, rows=1_000)
    figures = report(out, {"held": held})["held"]
    assert figures["truth"]["r2"] > figures[TEACHER]["r2"] > figures["mean_of_k"]["r2"]
    assert 0 < figures["truth"]["crps"] < figures[INT8]["crps"] < 0.6
    told = figures["calibration"][INT8]
    assert told["predicted"] == sorted(told["predicted"]) and len(told["label"]) == 10
    assert told["coverage"] == sorted(told["coverage"])
    calibration_plot({"held": figures}, INT8, tmp_path / "plot.svg")
    calibration_plot({"held": figures}, INT8, tmp_path / "again.svg")
    assert (tmp_path / "plot.svg").read_bytes() == (tmp_path / "again.svg").read_bytes()


def test_scores_are_the_textbook_s(trained: Trained, market: Path) -> None:
    tokenizer = load_tokenizer(trained.artefact / "tokenizer.json")
    _, dev = split(load_samples(market, tokenizer), 0.1, 1)
    curve = served(trained.artefact, dev)
    predicted = value_at(curve, dev.k)
    found = score(curve, dev)
    assert found.r2 == pytest.approx(1 - found.rmse**2)
    assert found.rmse == pytest.approx(
        float(np.sqrt(np.mean((predicted - dev.label) ** 2)) / dev.label.std()), rel=1e-5
    )


@pytest.mark.spec("TVE-S-04")
def test_events_replay_bit_for_bit_and_versions_are_compared(
    trained: Trained, out: Path, market: Path, tmp_path: Path
) -> None:
    """A version is held to 1 % of its own replay, and is at 0. Between versions that were trained
    or rounded differently the distance is reported; docs/tve.md has it for 10,000 events.
    """
    found = replay(out, events_of(market, 200, 0), tmp_path / "replay.diff.csv")
    assert found["events"] == 200
    assert all(found["same_twice"].values()) and len(set(found["sha256"].values())) == 3
    assert found["difference"][f"{STUDENT} to {INT8}"] < 0.2
    lines = (tmp_path / "replay.diff.csv").read_text().splitlines()
    assert len(lines) == 201 and lines[0].count(",") == 9


def test_a_missing_dataset_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="dataset_missing"):
        train(tmp_path / "none", CONFIG, 1, tmp_path / "out")
    assert not (tmp_path / "out").exists()
