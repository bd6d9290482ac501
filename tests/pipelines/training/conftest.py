# SPDX-License-Identifier: Apache-2.0
"""A lake with one tiny gold version of each dataset, and trainers that take seconds."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from bls.settings import Settings
from export.bid_predictor.config import TrainConfig
from pipelines_dagster.defs.market.simulate import Size, simulate
from pipelines_dagster.defs.promotion import figures
from pipelines_dagster.defs.promotion.desk import Desk, open_desk
from pipelines_dagster.defs.training import predictor, tve
from pipelines_dagster.settings import PipelineSettings

SIZE = Size(conversations=30, contexts=40, ads=24, pairs=300)


@pytest.fixture(scope="session")
def gold(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A market dataset with `held/`."""
    folder = tmp_path_factory.mktemp("gold") / "v1"
    simulate(folder, 3, SIZE)
    simulate(folder / "held", 4, SIZE)
    return folder


@pytest.fixture
def settings(tmp_path: Path, gold: Path) -> PipelineSettings:
    for name in ("predictor_dataset", "tve_dataset"):
        shutil.copytree(gold, tmp_path / "state" / "lake" / "gold" / name / "v1")
    serving = Settings(state=tmp_path / "state")
    return PipelineSettings(serving, webhook="log", training="quick")


@pytest.fixture
def desk(settings: PipelineSettings) -> Desk:
    return open_desk(settings)


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few steps, and a small harness."""
    config = replace(TrainConfig(), pretrain_steps=0, steps=1, batch=64, learning_rate=0.5)
    monkeypatch.setitem(predictor.PROFILES, "quick", config)
    monkeypatch.setitem(predictor.SIMULATED, "quick", 10)
    monkeypatch.setitem(tve.PROFILES, "quick", replace(tve.PROFILES["quick"], max_steps=1))
    monkeypatch.setitem(figures.HARNESS, "quick", (120, 4_000))
