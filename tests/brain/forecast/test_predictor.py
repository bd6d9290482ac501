# SPDX-License-Identifier: Apache-2.0
"""Requests as one batch, and an explicit error wherever a forecast would be wrong."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from bls.brain.features import MEAN, build
from bls.brain.forecast.predictor import Predictor, load, sane
from bls.contracts import CTX
from bls.errors import SkynetError
from bls.jsonlog import JsonLog
from bls.models.onnx_model import OnnxModel
from bls.models.pointer import FolderPointer, Target
from export.manifest import file_sha256
from tests.models.stub import write_version

MIXTURE = np.array([[0, 0.2, 0.5, 0.4, 0.7]], np.float32)


def features(rows: int) -> np.ndarray:
    rng = np.random.default_rng(rows)
    return build(rng.normal(size=CTX), rng.normal(size=(rows, 15)), np.arange(rows))


def served(folder: Path, log: JsonLog | None = None) -> Predictor:
    predictor = Predictor(FolderPointer(folder), log)
    predictor.models.champion.poll()
    return predictor


def codes(answers: list[object]) -> list[str]:
    return [a.code if isinstance(a, SkynetError) else "" for a in answers]


def test_several_requests_are_one_batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = []
    run = OnnxModel.run

    def counted(self: OnnxModel, tensors: dict[str, np.ndarray]) -> list[np.ndarray]:
        runs.append(len(tensors["FEATURES"]))
        return run(self, tensors)

    predictor = served(write_version(tmp_path / "v"))
    monkeypatch.setattr(OnnxModel, "run", counted)
    requests = [features(rows) for rows in (1, 4, 2)]
    answers = predictor.answer(requests)
    assert runs == [7]
    for request, answer in zip(requests, answers, strict=True):
        assert not isinstance(answer, SkynetError)
        np.testing.assert_allclose(answer.output[:, 0], request[:, MEAN], rtol=1e-5)
        np.testing.assert_allclose(answer.output[:, 4], 0.7)
    assert (predictor.stats.requests, predictor.stats.rows) == (3, 7)
    assert predictor.stats.latency.of(le="+Inf") == 1


def test_one_bad_request_spoils_no_other(tmp_path: Path) -> None:
    predictor = served(write_version(tmp_path / "v"))
    requests = [features(2), features(3), features(1)]
    requests[1][2, 5] = np.inf
    answers = predictor.answer(requests)
    assert codes(answers) == ["", "bad_features", ""]
    assert answers[1].status == 400
    assert codes(predictor.answer([requests[1]])) == ["bad_features"]
    assert predictor.stats.errors.of(code="bad_features") == 2


@pytest.mark.spec("CBP-C-03")
@pytest.mark.parametrize("how", ["gone", "not listed"])
def test_without_its_pca_no_forecast_is_made(tmp_path: Path, how: str) -> None:
    folder = write_version(tmp_path / "v")
    pca = folder / "pca.safetensors"
    if how == "gone":
        pca.unlink()
    else:
        manifest = json.loads((folder / "manifest.json").read_text())
        del manifest["files"][pca.name]
        (folder / "manifest.json").write_text(json.dumps(manifest))
    log = JsonLog(tmp_path / "logs", 100)
    predictor = served(folder, log)
    answers = predictor.answer([features(1), features(4)])
    assert codes(answers) == ["pca_missing"] * 2
    assert all(isinstance(answer, SkynetError) and answer.status == 503 for answer in answers)
    assert predictor.stats.alerts.of(alert="PCA_MISSING") == 1
    log.close()
    assert json.loads((tmp_path / "logs" / "alerts").read_text())["alert"] == "PCA_MISSING"
    assert (tmp_path / "logs" / "feature_builder.error").read_text().count("pca_missing") == 1


@pytest.mark.parametrize(
    "what", ["nothing", "no model", "altered model", "altered pca", "no manifest", "other layout"]
)
def test_without_a_model_every_request_says_so(tmp_path: Path, what: str) -> None:
    folder = tmp_path / "v"
    if what != "nothing":
        write_version(folder)
    if what == "no model":
        (folder / "model.onnx").unlink()
    if what == "altered model":
        (folder / "model.onnx").write_bytes(b"graph")
    if what == "altered pca":
        pca = folder / "pca.safetensors"
        pca.write_bytes(pca.read_bytes()[:-1] + b"!")
    if what == "other layout":
        manifest = json.loads((folder / "manifest.json").read_text())
        manifest["details"]["feature_layout"] = 0
        (folder / "manifest.json").write_text(json.dumps(manifest))
    if what == "no manifest":
        (folder / "manifest.json").unlink()
    predictor = served(folder)
    (answer,) = predictor.answer([features(1)])
    assert isinstance(answer, SkynetError)
    assert (answer.code, answer.status) == ("model_missing", 503)
    assert str(tmp_path) not in answer.message
    assert predictor.stats.alerts.of(alert="MODEL_MISSING") == 1


@pytest.mark.parametrize("bias", [(0, -1, 0, 1, 0.5), (0, 1, 0, 1, 1.5), (np.nan, 1, 0, 1, 0.5)])
def test_a_model_that_fails_its_probe_is_not_served(
    tmp_path: Path, bias: tuple[float, ...]
) -> None:
    folder = write_version(tmp_path / "v", bias)
    with pytest.raises(SkynetError) as caught:
        load(Target("v", folder, file_sha256(folder / "manifest.json")))
    assert caught.value.code == "model_missing"


def test_a_forecast_outside_its_domain_is_an_error(tmp_path: Path) -> None:
    predictor = served(write_version(tmp_path / "v"))
    model = predictor.models.champion.current()
    model.run = lambda tensors: [np.full((len(tensors["FEATURES"]), 5), np.nan, np.float32)]
    assert codes(predictor.answer([features(1), features(2)])) == ["bad_forecast"] * 2

    def broken(tensors: object) -> list[np.ndarray]:
        raise RuntimeError("graph details")

    model.run = broken
    answers = predictor.answer([features(1)])
    assert codes(answers) == ["bad_forecast"] and "graph" not in answers[0].message


@pytest.mark.parametrize(
    ("column", "value", "good"),
    [(1, 0, False), (3, -1, False), (4, 1.01, False), (4, -0.01, False), (4, 1, True)],
)
def test_the_domain(column: int, value: float, good: bool) -> None:
    mixture = MIXTURE.copy()
    mixture[0, column] = value
    assert sane(mixture) is good
