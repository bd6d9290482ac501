# SPDX-License-Identifier: Apache-2.0
"""`train_one`: from a dataset to a version in the store, the ledger and the registry."""

from __future__ import annotations

import contextlib
import importlib.metadata
import shutil
import subprocess
import tempfile
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from bls.brain.params import KEY
from bls.errors import SkynetError
from bls.models.model_key import PREDICTOR, PRICE, TVE, ModelKey
from bls.settings import REPOSITORY
from export.errors import ExportError
from pipelines_dagster.defs.datasets.lineage import versions_behind
from pipelines_dagster.defs.datasets.tables import recipes
from pipelines_dagster.defs.market.dataset import CARD, load_card, sha256
from pipelines_dagster.defs.promotion import ledger as log
from pipelines_dagster.defs.promotion.champion import champion
from pipelines_dagster.defs.promotion.desk import Desk
from pipelines_dagster.defs.promotion.ledger import Event
from pipelines_dagster.defs.promotion.publish import AXES_KEY
from pipelines_dagster.defs.training import gold
from pipelines_dagster.defs.training.trainer import Job, Made, Trainer
from pipelines_dagster.defs.training.trainers import SKIPS, trainer_of
from pipelines_dagster.notify.series import gauge
from pipelines_dagster.registry.names import Stored, next_version
from pipelines_dagster.settings import PipelineSettings

STREAM = "trainer.artifact.log"


class Records(Protocol):
    """What a training asks of the registry."""

    def record(self, stored: Stored, folder: Path, run: Any) -> str: ...


def train_one(
    name: str,
    settings: PipelineSettings,
    desk: Desk,
    *,
    dataset: Path | None = None,
    seed: int = 0,
    records: Records | None = None,
) -> Event:
    """Train, store, write down; the ledger's `trained` event, whose details name the dataset.

    Args:
        name: of `TRAINERS`.
        dataset: by default the newest of the trainer's gold asset.

    Raises:
        SkynetError: `no_trainer`, `no_data`, `nothing_better` when there is nothing to store;
            `training_failed` with the trainer's own code otherwise.
    """
    trainer = trainer_of(name)
    if dataset is None and trainer.gold:
        dataset = gold.newest(settings, trainer.gold)
    work = settings.serving.state / "training"
    work.mkdir(parents=True, exist_ok=True)
    _clear(work, name, 2 * trainer.sla_s)
    out = Path(tempfile.mkdtemp(prefix=f"{name}.", dir=work))
    began = time.monotonic()
    try:
        job = _job(trainer, settings, desk, out=out, dataset=dataset, seed=seed)
        made = _run(name, trainer, job, desk)
        elapsed = time.monotonic() - began
        stored = _store(trainer, made, desk)
        details = origin(job, made) | {
            "metrics": dict(made.metrics),
            "seed": seed,
            "profile": settings.training,
        }
        event = Event(
            stored.version, log.TRAINED, stored, elapsed_ms=1e3 * elapsed, details=details
        )
        desk.ledger.append(event)
        _tell(name, trainer, stored, elapsed, desk)
        if records is not None:
            record(records, stored, made, details, desk)
        return event
    finally:
        shutil.rmtree(out, ignore_errors=True)


def _clear(work: Path, name: str, older_s: float) -> None:
    """What trainings that died have left: it holds rows."""
    for path in work.glob(f"{name}.*"):
        with contextlib.suppress(FileNotFoundError):
            if time.time() - path.stat().st_mtime > older_s:
                shutil.rmtree(path, ignore_errors=True)


def origin(job: Job, made: Made) -> dict[str, Any]:
    """Where a version comes from: dataset, its hash, the lake versions in its card, the code.

    A trainer that reads the lake itself says which table, at which version.
    """
    found: dict[str, Any] = {"code": code_version()}
    if job.dataset is not None:
        card = load_card(job.dataset)
        found |= {
            "dataset": str(job.dataset),
            "dataset_sha256": sha256(job.dataset / CARD),
            "lake": card.get("lake", card.get("sources", {})),
        }
    elif "table_version" in made.params:
        read = {str(made.params["table"]): int(made.params["table_version"])}
        found["lake"] = versions_behind(job.lake, recipes(), read, read)
    return found


def code_version() -> str:
    """The commit, or the package's version where there is no repository."""
    try:
        asked = ["git", "-C", str(REPOSITORY), "rev-parse", "HEAD"]
        done = subprocess.run(asked, capture_output=True, text=True, check=True, timeout=10)
        return done.stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return importlib.metadata.version("skynet-ads")


def _job(
    trainer: Trainer,
    settings: PipelineSettings,
    desk: Desk,
    *,
    out: Path,
    dataset: Path | None,
    seed: int,
) -> Job:
    champions = {}
    for subsystem in (PREDICTOR, TVE) if trainer.subsystem == "tuner" else ():
        live = champion(subsystem, desk.keys, desk.artefacts, settings)
        if live is None:
            raise SkynetError("no_data", f"The tuner needs a live version of {subsystem}.", 409)
        champions[subsystem] = desk.artefacts.fetch(live)
    if trainer.subsystem == PRICE:
        live = champion(PRICE, desk.keys, desk.artefacts, settings)
        champions |= {} if live is None else {PRICE: desk.artefacts.fetch(live)}
    axes = desk.keys.get(AXES_KEY) if trainer.subsystem == "axes" else None
    if axes is not None:
        key = ModelKey.of(axes.value)
        stored = Stored("axes", key.version, key.uri, key.sha256)
        champions["axes"] = desk.artefacts.fetch(stored)
    params = desk.keys.get(KEY)
    values = {} if params is None else {KEY: params.value}
    return Job(settings, desk.lake, dataset, settings.training, seed, out, champions, values)


def _run(name: str, trainer: Trainer, job: Job, desk: Desk) -> Made:
    try:
        return trainer.run(job)
    except (SkynetError, ExportError) as fault:
        if fault.code in SKIPS:
            desk.streams.write(STREAM, job_id=name, skipped=fault.code)
            raise
        desk.streams.write(STREAM, job_id=name, failed=fault.code)
        text = f"Training models/{name} failed: {fault.code}."
        desk.notifier.tell("training_failed", text, model=name, code=fault.code)
        raise SkynetError("training_failed", f"models/{name}: {fault.message}", 500) from fault


def _store(trainer: Trainer, made: Made, desk: Desk) -> Stored:
    today = datetime.now(UTC).date()
    taken = desk.artefacts.versions(trainer.subsystem)
    version = next_version(trainer.subsystem, taken, today)
    return desk.artefacts.put(trainer.subsystem, version, made.folder)


def _tell(name: str, trainer: Trainer, stored: Stored, elapsed: float, desk: Desk) -> None:
    desk.streams.write(
        STREAM,
        job_id=name,
        version=stored.version,
        artifact_uri=stored.uri,
        sha256=stored.sha256,
        elapsed_ms=round(1e3 * elapsed, 1),
    )
    gauge(desk.metrics, f"orch_train_{name}_ms", 1e3 * elapsed, "The last training, ms")
    if elapsed > trainer.sla_s:
        text = f"Training models/{name} took {elapsed:.0f} s; it should take {trainer.sla_s:.0f} s."
        desk.notifier.tell("sla_missed", text, model=name, elapsed_s=elapsed, sla_s=trainer.sla_s)


def record(
    records: Records, stored: Stored, made: Made, details: Mapping[str, Any], desk: Desk
) -> None:
    """Write a version down in the registry; one that is down is told of, and holds nothing up."""
    from pipelines_dagster.registry.mlflow_registry import RunRecord  # noqa: PLC0415  (slow)

    tags = {k: str(v) for k, v in details.items() if k != "metrics"}
    try:
        records.record(stored, made.folder, RunRecord(made.params, made.metrics, tags))
    except SkynetError as fault:
        text = f"{stored.version} is in the store, but the registry did not take it."
        desk.notifier.tell(fault.code, text, version=stored.version)
