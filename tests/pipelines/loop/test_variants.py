# SPDX-License-Identifier: Apache-2.0
"""Degraded versions: whole, servable, wrong by as much as was asked for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from bls.brain.forecast.predictor import load
from bls.errors import SkynetError
from bls.models.model_key import PREDICTOR, ModelKey
from bls.models.pointer import Target
from bls.settings import Settings
from export.bid_predictor.artefact import MODEL_FILE, SHIPPED, verify
from export.manifest import MANIFEST_NAME, file_sha256
from pipelines_dagster.loop.keys import RehearsalKeys
from pipelines_dagster.loop.variants import Flaw, _flawed, degraded_predictor


@pytest.mark.parametrize("flaw", [Flaw(bias=0.35, spread=1.6), Flaw(bias=-0.6)])
def test_servable_and_wrong_by_so_much(tmp_path: Path, flaw: Flaw) -> None:
    out = tmp_path / "pred_weak"
    sha = degraded_predictor(SHIPPED, out, "pred_weak", flaw)
    good = load(Target("1", SHIPPED, file_sha256(SHIPPED / MANIFEST_NAME)))
    weak = load(Target("pred_weak", out, sha))
    features = np.random.default_rng(0).normal(0, 0.3, (32, 150)).astype(np.float32)
    (before,), (after,) = good.run({"FEATURES": features}), weak.run({"FEATURES": features})
    assert np.allclose(after[:, [0, 2]] - before[:, [0, 2]], flaw.bias, atol=1e-4)
    assert np.median(after[:, 1] / before[:, 1]) == pytest.approx(flaw.spread, rel=0.2)
    assert np.allclose(after[:, 4], before[:, 4])


def test_its_manifest_says_so(tmp_path: Path) -> None:
    degraded_predictor(SHIPPED, tmp_path / "v", "v_1", Flaw(bias=1.0))
    manifest = verify(tmp_path / "v")
    assert manifest.version == "v_1"
    assert manifest.metrics == {"rehearsal.bias": 1.0, "rehearsal.spread": 1.0}
    assert "degraded for a rehearsal" in manifest.details["rehearsal"]


def test_the_same_flaw_gives_the_same_bytes(tmp_path: Path) -> None:
    first, second = (
        degraded_predictor(SHIPPED, tmp_path / name, "v", Flaw(bias=0.1)) for name in "ab"
    )
    assert first == second


def test_refused(tmp_path: Path) -> None:
    for flaw in ({"bias": float("nan")}, {"spread": 0.0}, {"spread": 11.0}):
        with pytest.raises(SkynetError):
            Flaw(**flaw)
    with pytest.raises(SkynetError) as caught:
        degraded_predictor(SHIPPED, tmp_path / "v", "No Version", Flaw())
    assert caught.value.code == "bad_version"
    with pytest.raises(SkynetError) as caught:
        degraded_predictor(SHIPPED, tmp_path, "v", Flaw())
    assert caught.value.code == "version_exists"
    model = onnx.load(SHIPPED / MODEL_FILE)
    for tensor in model.graph.initializer:
        tensor.name = "x" + tensor.name
    with pytest.raises(SkynetError) as caught:
        _flawed(model, Flaw())
    assert caught.value.code == "bad_model"


def test_the_champion_is_put_back(tmp_path: Path) -> None:
    settings = Settings(keys=str(tmp_path))
    mine = ModelKey("mine", (tmp_path / "mine").as_uri(), "a" * 64)
    keys = RehearsalKeys(settings)
    assert keys.champion() is None
    keys.crown(ModelKey("weak", (tmp_path / "weak").as_uri(), "b" * 64))
    keys.restore(mine)
    assert keys.champion() == mine
    assert (tmp_path / PREDICTOR / "canary.json").is_file()
    keys.restore(mine)
    assert keys.champion() == mine
    keys.close()
