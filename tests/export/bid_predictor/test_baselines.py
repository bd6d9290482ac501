# SPDX-License-Identifier: Apache-2.0
"""The baselines fit what they can, and evaluation tells them apart."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from export.bid_predictor import tables
from export.bid_predictor.baselines import BiGru, Ewma, LogNormal, Neural
from export.bid_predictor.evaluation import Held, coverage, evaluate
from export.bid_predictor.parity import compare
from export.bid_predictor.plot import draw
from export.bid_predictor.quantise import dynamic, static
from export.bid_predictor.report import strange_contexts
from export.bid_predictor.runtime import OnnxForecaster
from export.bid_predictor.training import Trained, sample
from export.bid_predictor.windows import Windows


def test_fits_leave_an_unbiased_residual(windows: Windows) -> None:
    for model in (LogNormal.fit(windows), Ewma.fit(windows)):
        mixture = model(windows)
        residual = windows.label - mixture[:, 0].numpy()
        assert abs(residual.mean()) < 1e-9
        assert residual.std() == pytest.approx(mixture[0, 1].item())
    assert Ewma.fit(windows).sigma < LogNormal.fit(windows).sigma


def test_a_bi_gru_sees_no_level_either(windows: Windows) -> None:
    torch.manual_seed(0)
    features = torch.from_numpy(sample(windows, 20, seed=0).features())
    risen = features.clone()
    risen[:, 128:144] += 2
    with torch.inference_mode():
        before, after = (BiGru().eval().requires_grad_(False) for _ in range(2))
        after.load_state_dict(before.state_dict())
        moved = after(risen) - before(features)
    assert torch.allclose(moved[:, [0, 2]], torch.tensor(2.0), atol=1e-4)
    assert torch.allclose(moved[:, [1, 3, 4]], torch.tensor(0.0), atol=1e-4)


def test_a_report_compares_models_scenario_by_scenario(
    dataset: Path, windows: Windows, tmp_path: Path
) -> None:
    held = Held.load(dataset, 2000)
    assert (held.truth.sd > 0).all()
    models = {"log-normal": LogNormal.fit(windows), "EWMA": Ewma.fit(windows)}
    models |= {"Bi-GRU": Neural(BiGru().eval())}
    lines = evaluate(models, held)
    assert {line.scenario for line in lines} == {"stationary", "drifting", "predictable", "all"}
    assert all(line.off_mean < line.scores.rmse * 1.1 for line in lines)
    assert all(line.ratio > 0.9 for line in lines)
    assert tables.accuracy(lines).count("\n") == len(lines) + 2
    draw(models, held.windows, tmp_path / "a.svg")
    draw(models, held.windows, tmp_path / "b.svg")
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


def test_coverage_of_a_fitted_gaussian_is_near_nominal(windows: Windows) -> None:
    levels = np.array([0.5, 0.9])
    assert np.abs(coverage(LogNormal.fit(windows), windows, levels) - levels).max() < 0.15


def test_strange_contexts_change_nothing_for_a_model_that_ignores_them(windows: Windows) -> None:
    model = LogNormal.fit(windows)
    assert torch.equal(strange_contexts(model, windows), model(windows))


def test_other_int8_variants_run_and_are_compared(trained: Trained, windows: Windows) -> None:
    import onnx  # noqa: PLC0415

    model = onnx.load(trained.folder / "model_f32.onnx")
    plain = OnnxForecaster(model.SerializeToString())
    some = sample(windows, 300, seed=0)
    for other in (dynamic(model), static(model, some.features())):
        figures = compare(plain(some), plain, OnnxForecaster(other), some)
        assert figures.f32_mu_max == 0
        assert 0 < figures.int8_mu_mean < 0.1
        assert "int8_mu_mean" in tables.parity(figures)
    assert plain.latency_us(calls=5)[0] > 0
