# SPDX-License-Identifier: Apache-2.0
"""A small market, a network trained for seconds on it, and the shipped model."""

from __future__ import annotations

from pathlib import Path

import pytest

from export.bid_predictor.artefact import MODEL_FILE, SHIPPED
from export.bid_predictor.config import TrainConfig
from export.bid_predictor.runtime import OnnxForecaster
from export.bid_predictor.training import Trained, train
from export.bid_predictor.windows import Windows, load_windows
from pipelines_dagster.defs.market.simulate import Size, simulate

TINY = TrainConfig(width=8, heads=2, hidden=16, tokens=2, batch=64, pretrain_steps=4, steps=8)


@pytest.fixture(scope="session")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("market")
    size = Size(conversations=36, contexts=40, ads=64, pairs=20)
    simulate(folder, 5, size, "regimes")
    return folder


@pytest.fixture(scope="session")
def windows(dataset: Path) -> Windows:
    return load_windows(dataset)


@pytest.fixture(scope="session")
def trained(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return train(dataset, TINY, 3, tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="session")
def shipped() -> OnnxForecaster:
    return OnnxForecaster(SHIPPED / MODEL_FILE)
