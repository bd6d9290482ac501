# SPDX-License-Identifier: Apache-2.0
"""The training path on a tiny network: reproducible, faithful in ONNX, checked options."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch

from export.bid_predictor import graph, lit, pca
from export.bid_predictor.artefact import MODEL_FILE, verify
from export.bid_predictor.batches import Batches, tensors
from export.bid_predictor.config import TrainConfig
from export.bid_predictor.network import TTTiny
from export.bid_predictor.parity import check
from export.bid_predictor.training import Trained, sample, train
from export.bid_predictor.windows import Windows
from export.errors import ExportError
from export.manifest import file_sha256
from export.model_manifest import ModelManifest
from tests.export.bid_predictor.conftest import TINY


@pytest.mark.spec("CBP-U-09")
def test_the_same_seed_gives_the_same_bytes(
    trained: Trained, dataset: Path, tmp_path: Path
) -> None:
    again = train(dataset, TINY, 3, tmp_path)
    assert ModelManifest.load(tmp_path) == ModelManifest.load(trained.folder)
    assert again.metrics == trained.metrics


@pytest.mark.spec("CBP-U-09")
def test_loading_and_saving_keeps_the_hash(trained: Trained, tmp_path: Path) -> None:
    graph.write(onnx.load(trained.folder / MODEL_FILE), tmp_path / MODEL_FILE)
    listed = verify(trained.folder).files[MODEL_FILE]
    assert file_sha256(tmp_path / MODEL_FILE) == listed


def test_another_seed_gives_another_model(trained: Trained, dataset: Path, tmp_path: Path) -> None:
    other = train(dataset, TINY, 4, tmp_path)
    files = [ModelManifest.load(one).files for one in (trained.folder, other.folder)]
    assert files[0][MODEL_FILE] != files[1][MODEL_FILE]


def test_the_manifest_says_how_it_was_made(trained: Trained) -> None:
    manifest = verify(trained.folder)
    assert manifest.seed == 3
    assert TrainConfig(**manifest.details["config"]) == TINY
    assert manifest.metrics["validation.rmse"] == pytest.approx(
        trained.metrics["validation.rmse"], abs=1e-6
    )
    assert "--seed 3" in manifest.created_by


def test_the_graph_is_the_network(windows: Windows) -> None:
    """Also with weights large enough to matter everywhere, which training never gives."""
    features, label = tensors(sample(windows, 1000, seed=0))
    torch.manual_seed(0)
    network = TTTiny(replace(TINY, layers=2), pca.fit(features.numpy()))
    network.start_linear(features, label)
    with torch.no_grad():
        network.head.weight += 0.05 * torch.randn_like(network.head.weight)
    figures = check(network.eval(), sample(windows, 500, seed=1))
    assert figures.f32_mu_max < 1e-5
    assert figures.f32_sigma_max < 1e-5
    assert figures.int8_mu_mean < 0.02
    assert abs(figures.int8_rmse) < 0.01
    assert figures.shift_sigma < 1e-3
    assert figures.alone < 1e-5


def test_training_starts_from_least_squares_and_learns(windows: Windows) -> None:
    features, label = tensors(sample(windows, 2000, seed=0))
    torch.manual_seed(0)
    network = TTTiny(TINY, pca.fit(features.numpy()))
    network.start_linear(features, label)

    def loss() -> float:
        return (
            lit.Forecaster(network, replace(TINY, pretrain_steps=0))
            .loss(network(features), label)[0]
            .item()
        )

    before = loss()
    torch.manual_seed(0)
    lit.fit(network, windows, replace(TINY, steps=20), 0, progress=False)
    assert loss() < before


def test_batches_are_the_seeds(windows: Windows) -> None:
    first, again = (list(Batches(windows, TINY, 1)) for _ in range(2))
    assert len(first) == len(Batches(windows, TINY, 1)) == 12
    assert all(torch.equal(a[0], b[0]) for a, b in zip(first, again, strict=True))
    other = next(iter(Batches(windows, TINY, 2)))
    assert not torch.equal(first[0][0], other[0])
    norms = torch.cat([features for features, _ in first])[:, :128].norm(dim=1)
    assert torch.allclose(norms, torch.ones_like(norms), atol=1e-4)


@pytest.mark.parametrize(
    "change",
    [
        {"width": 10, "heads": 4},
        {"steps": 0},
        {"pretrain_steps": -1},
        {"corrupted": 1.5},
        {"strange_contexts": -0.1},
        {"validation": 0.0},
        {"learning_rate": -1.0},
    ],
)
def test_bad_options_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ExportError, match="config_invalid"):
        replace(TINY, **change)


def test_few_rows_are_enough(windows: Windows) -> None:
    small = sample(windows, 50, seed=0)
    assert len(small) == 50
    assert sample(small, 50, seed=0) is small
    batch = next(iter(Batches(small, replace(TINY, batch=4096), 0)))
    assert len(batch[0]) == 50
    assert np.isfinite(batch[0].numpy()).all()
