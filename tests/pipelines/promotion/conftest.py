# SPDX-License-Identifier: Apache-2.0
"""A state folder, and versions made of a few bytes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bls.models.model_key import model_key
from bls.settings import Settings
from export.model_manifest import ModelManifest, hash_files
from pipelines_dagster.defs.promotion import ledger as log
from pipelines_dagster.defs.promotion.desk import Desk, open_desk
from pipelines_dagster.defs.promotion.ledger import Event
from pipelines_dagster.registry.names import Stored
from pipelines_dagster.settings import PipelineSettings

Version = Callable[..., Stored]


@pytest.fixture
def settings(tmp_path: Path) -> PipelineSettings:
    serving = Settings(state=tmp_path / "state")
    return PipelineSettings(serving, webhook="log", training="quick")


@pytest.fixture
def desk(settings: PipelineSettings) -> Desk:
    return open_desk(settings)


@pytest.fixture
def version(desk: Desk, tmp_path: Path) -> Version:
    """Puts a version into the store; `gate`: its verdict is in the ledger, empty passed."""

    def make(name: str, subsystem: str = "pred", gate: str | None = "") -> Stored:
        folder = tmp_path / "made" / name
        folder.mkdir(parents=True)
        (folder / "model.onnx").write_bytes(name.encode())
        manifest = ModelManifest(
            name=subsystem,
            version="1",
            files=hash_files(folder, ["model.onnx"]),
            inputs={},
            outputs={},
            metrics={},
            dataset_sha256="0" * 64,
            seed=0,
            created_by="a test",
        )
        manifest.write(folder)
        stored = desk.artefacts.put(subsystem, name, folder)
        if gate is not None:
            desk.ledger.append(Event(name, log.GATE, stored, reason=gate))
        return stored

    return make


@pytest.fixture
def pair(desk: Desk, version: Version) -> tuple[Stored, Stored]:
    """(champion with its key, challenger that has passed its gate)."""
    first, second = version("pred_a"), version("pred_b")
    desk.keys.put(model_key("pred"), first.key().value())
    return first, second
