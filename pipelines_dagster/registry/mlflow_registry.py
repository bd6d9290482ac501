# SPDX-License-Identifier: Apache-2.0
"""The MLflow 3 registry: an experiment a subsystem, a run a training, aliases for who is live.

The store (`store.py`) keeps the files that servers load; the registry keeps what is known of them:
parameters, figures, the dataset's hash, code version and seed, and the ONNX graph with its
signature. A model version carries our version's name and its manifest's SHA-256 as tags. Only the
onnx flavour is used: nothing here is ever pickled.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # before it is imported

import mlflow
import numpy as np
import onnx
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.models import ModelSignature
from mlflow.types import Schema, TensorSpec

from bls.errors import SkynetError
from export.manifest import MANIFEST_NAME
from export.model_manifest import ModelManifest
from pipelines_dagster.registry.names import Stored
from pipelines_dagster.settings import PipelineSettings

CHAMPION, CHALLENGER = "champion", "challenger"
VERSION_TAG, SHA256_TAG, URI_TAG = "skynet.version", "skynet.sha256", "skynet.uri"
MODEL_FILE = "model.onnx"
_TYPES = {"FP32": np.float32, "INT64": np.int64}
_PARAM_MOST = 500


@dataclass(frozen=True)
class RunRecord:
    """What is written down of a training.

    Attributes:
        tags: dataset hash, lake versions, code version, seed, ...
    """

    params: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)


class ModelRegistry:
    """Every method raises `registry_unreachable` when the registry does not answer.

    Args:
        uri: tracking URI: SQLite, a server, any database MLflow knows.
        artifacts: folder of run artefacts, where the registry is no server of its own.
    """

    def __init__(self, uri: str, artifacts: Path) -> None:
        if uri.startswith("sqlite:///"):
            Path(uri.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
        self._uri, self._artifacts = uri, artifacts
        self._client = MlflowClient(tracking_uri=uri, registry_uri=uri)

    def record(self, stored: Stored, folder: Path, run: RunRecord) -> str:
        """Log a training and register its version; the run's id.

        Args:
            folder: the version's files; its ONNX graph is logged where there is one.
        """
        try:
            return self._record(stored, folder, run)
        except MlflowException:
            raise _unreachable() from None

    def log(self, subsystem: str, name: str, run: RunRecord, files: Iterable[Path] = ()) -> str:
        """Log a run that makes no version, such as a benchmark; its id."""
        try:
            run_id: str = self._client.create_run(
                self._experiment(subsystem), run_name=name, tags=dict(run.tags)
            ).info.run_id
            self._told(run_id, run)
            for path in files:
                self._client.log_artifact(run_id, str(path))
            self._client.set_terminated(run_id)
        except MlflowException:
            raise _unreachable() from None
        return run_id

    def champion(self, stored: Stored) -> None:
        """Move `champion` here; `challenger` leaves this version."""
        version = self._version(stored)
        self._client.set_registered_model_alias(stored.subsystem, CHAMPION, version)
        if self._alias(stored.subsystem, CHALLENGER) == version:
            self._client.delete_registered_model_alias(stored.subsystem, CHALLENGER)

    def unmark(self, stored: Stored) -> None:
        """`challenger` leaves this version, if it has it."""
        if self.named(stored.subsystem, CHALLENGER) == stored:
            self._client.delete_registered_model_alias(stored.subsystem, CHALLENGER)

    def challenger(self, stored: Stored) -> None:
        """Move `challenger` here."""
        version = self._version(stored)
        self._client.set_registered_model_alias(stored.subsystem, CHALLENGER, version)

    def named(self, subsystem: str, alias: str) -> Stored | None:
        """The version that has an alias."""
        version = self._alias(subsystem, alias)
        if version is None:
            return None
        tags = self._client.get_model_version(subsystem, version).tags
        return Stored(subsystem, tags[VERSION_TAG], tags[URI_TAG], tags[SHA256_TAG])

    def run_of(self, stored: Stored) -> RunRecord:
        """What was written down of a version. Raises `no_version`."""
        run_id = self._client.get_model_version(stored.subsystem, self._version(stored)).run_id
        if not run_id:
            return RunRecord()
        data = self._client.get_run(run_id).data
        return RunRecord(dict(data.params), dict(data.metrics), dict(data.tags))

    def answers(self) -> int:
        """Experiments there are: the cheapest question, for C-07."""
        return len(self._client.search_experiments(max_results=10))

    def _record(self, stored: Stored, folder: Path, run: RunRecord) -> str:
        manifest = ModelManifest.load(folder, verify=False)
        run_id: str = self._client.create_run(
            self._experiment(stored.subsystem), run_name=stored.version, tags=dict(run.tags)
        ).info.run_id
        self._told(run_id, run)
        self._client.log_artifact(run_id, str(folder / MANIFEST_NAME))
        source = stored.uri
        if MODEL_FILE in manifest.files:
            source = self._log_onnx(run_id, folder, manifest)
        tags = {VERSION_TAG: stored.version, SHA256_TAG: stored.sha256, URI_TAG: stored.uri}
        self._register(stored, source, run_id, tags)
        self._client.set_terminated(run_id)
        return run_id

    def _told(self, run_id: str, run: RunRecord) -> None:
        for name, value in run.params.items():
            self._client.log_param(run_id, name, str(value)[:_PARAM_MOST])
        for name, value in run.metrics.items():
            if np.isfinite(value):
                self._client.log_metric(run_id, name, float(value))

    def _log_onnx(self, run_id: str, folder: Path, manifest: ModelManifest) -> str:
        mlflow.set_tracking_uri(self._uri)
        mlflow.set_registry_uri(self._uri)
        with mlflow.start_run(run_id=run_id):
            info = mlflow.onnx.log_model(
                onnx.load(str(folder / MODEL_FILE)),
                name="model",
                signature=ModelSignature(_schema(manifest.inputs), _schema(manifest.outputs)),
                pip_requirements=["onnxruntime", "numpy"],
                save_as_external_data=False,
            )
        uri: str = info.model_uri
        return uri

    def _register(self, stored: Stored, source: str, run_id: str, tags: dict[str, str]) -> None:
        try:
            self._client.create_registered_model(stored.subsystem)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        self._client.create_model_version(stored.subsystem, source, run_id, tags=tags)

    def _experiment(self, subsystem: str) -> str:
        name = f"skynet/{subsystem}"
        found = self._client.get_experiment_by_name(name)
        if found is not None:
            return str(found.experiment_id)
        own = not self._uri.startswith(("http://", "https://", "databricks"))
        place = (self._artifacts / subsystem).absolute().as_uri() if own else None
        return str(self._client.create_experiment(name, artifact_location=place))

    def _version(self, stored: Stored) -> str:
        found = self._client.search_model_versions(
            f"name = '{stored.subsystem}' and tags.`{VERSION_TAG}` = '{stored.version}'"
        )
        if not found:
            raise SkynetError("no_version", "The registry does not know this version.", 404)
        return str(found[0].version)

    def _alias(self, subsystem: str, alias: str) -> str | None:
        try:
            return str(self._client.get_model_version_by_alias(subsystem, alias).version)
        except MlflowException:
            return None


def open_registry(settings: PipelineSettings) -> ModelRegistry:
    """The registry of the settings."""
    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
    return ModelRegistry(settings.registry_uri, settings.serving.state / "mlflow" / "artifacts")


def _schema(tensors: Mapping[str, str]) -> Schema:
    """From a manifest's "FP32[-1,150]"."""
    specs = []
    for name, text in tensors.items():
        kind, _, shape = text.rstrip("]").partition("[")
        sizes = tuple(int(size) for size in shape.split(","))
        specs.append(TensorSpec(np.dtype(_TYPES[kind]), sizes, name))
    return Schema(specs)


def _unreachable() -> SkynetError:
    return SkynetError("registry_unreachable", "The model registry does not answer.", 503)
