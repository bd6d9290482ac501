# SPDX-License-Identifier: Apache-2.0
"""The registry on SQLite, and behind MLflow's own REST server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import mlflow
import numpy as np
import pytest

from bls.errors import SkynetError
from pipelines_dagster.registry.mlflow_registry import (
    CHALLENGER,
    CHAMPION,
    ModelRegistry,
    RunRecord,
)
from pipelines_dagster.registry.names import Stored
from pipelines_dagster.registry.server import served
from pipelines_dagster.registry.store import FolderArtefacts

RUN = RunRecord(
    params={"steps": 30, "teacher": {"ctx": 64}},
    metrics={"rmse": 0.2, "unknown": float("nan")},
    tags={"dataset_sha256": "d" * 64, "code": "c0ffee", "seed": "7", "lake": "{'bids': 3}"},
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("registry")


@pytest.fixture(scope="module")
def registry(folder: Path) -> ModelRegistry:
    return ModelRegistry(f"sqlite:///{folder}/db/registry.db", folder / "artifacts")


@pytest.fixture(scope="module")
def versions(folder: Path, registry: ModelRegistry, made: Path, other: Path) -> list[Stored]:
    """Two recorded versions."""
    store = FolderArtefacts(folder / "models")
    stored = [store.put("pred", f"pred_{n}", path) for n, path in enumerate((made, other), 1)]
    for one in stored:
        registry.record(one, store.fetch(one), RUN)
    return stored


def test_what_is_written_down_is_found(registry: ModelRegistry, versions: list[Stored]) -> None:
    found = registry.run_of(versions[0])
    assert found.params["steps"] == "30" and found.metrics == {"rmse": 0.2}
    assert RUN.tags.items() <= found.tags.items()


def test_aliases_move(registry: ModelRegistry, versions: list[Stored]) -> None:
    first, second = versions
    assert registry.named("pred", CHAMPION) is None
    registry.champion(first)
    registry.challenger(second)
    assert registry.named("pred", CHALLENGER) == second
    registry.champion(second)
    assert registry.named("pred", CHAMPION) == second
    assert registry.named("pred", CHALLENGER) is None
    registry.champion(first)
    assert registry.named("pred", CHAMPION) == first
    registry.challenger(second)
    registry.unmark(first)
    assert registry.named("pred", CHALLENGER) == second
    registry.unmark(second)
    assert registry.named("pred", CHALLENGER) is None


def test_the_graph_is_logged_with_its_signature(
    registry: ModelRegistry, versions: list[Stored], folder: Path
) -> None:
    registry.champion(versions[0])
    mlflow.set_registry_uri(f"sqlite:///{folder}/db/registry.db")
    info = mlflow.models.get_model_info(f"models:/pred@{CHAMPION}")
    (tensor,) = info.signature.inputs.inputs
    assert (tensor.name, tensor.shape, tensor.type) == ("FEATURES", (-1, 3), np.dtype("float32"))
    assert "onnx" in info.flavors
    kept = [path.suffix for path in (folder / "artifacts").rglob("*") if path.is_file()]
    assert not {".pkl", ".pickle", ".pt", ".pth"} & set(kept)


def test_a_version_without_a_graph(registry: ModelRegistry, folder: Path, made: Path) -> None:
    from pipelines_dagster.defs.training.values import write_value  # noqa: PLC0415

    value = write_value(
        folder / "value", "tuner", {"a": 1}, metrics={"lift": 0.1}, origin="0" * 64, seed=0
    )
    stored = FolderArtefacts(folder / "models").put("tuner", "tuner_1", value)
    registry.record(stored, value, RunRecord(metrics={"lift": 0.1}))
    registry.champion(stored)
    assert registry.named("tuner", CHAMPION) == stored


def test_an_unknown_version(registry: ModelRegistry) -> None:
    with pytest.raises(SkynetError) as refused:
        registry.champion(Stored("pred", "pred_99", "file:///x", "0" * 64))
    assert refused.value.code == "no_version"


@pytest.fixture(scope="module")
def server(folder: Path, versions: list[Stored]) -> Iterator[str]:
    """MLflow's own server over the same database."""
    with served(f"sqlite:///{folder}/db/registry.db", folder / "server") as url:
        yield url


@pytest.mark.spec("ORC-C-07")
def test_the_server_answers(server: str, folder: Path, versions: list[Stored]) -> None:
    """The seed's call, by its MLflow 3 name; its p95 is printed by the bench."""
    url = f"{server}/api/2.0/mlflow/experiments/search"
    answer = httpx.post(url, json={"max_results": 10}, timeout=10)
    names = [one["name"] for one in answer.json()["experiments"]]
    assert answer.is_success and "skynet/pred" in names
    remote = ModelRegistry(server, folder / "unused")
    assert remote.answers() >= 1
    remote.champion(versions[1])
    assert remote.named("pred", CHAMPION) == versions[1]
