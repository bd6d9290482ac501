# SPDX-License-Identifier: Apache-2.0
"""Starts a training: a million rows are new, some are after a day, or a live model must forget."""

from __future__ import annotations

import time

import dagster as dg
import polars as pl

from bls.models.model_key import SUBSYSTEMS
from pipelines_dagster.defs.gdpr.models import TABLE as INVALIDATIONS
from pipelines_dagster.defs.gdpr.models import retrain_due
from pipelines_dagster.defs.operations.jobs import JOBS, POOL
from pipelines_dagster.defs.operations.new_rows import Since
from pipelines_dagster.defs.operations.plan import AT_LEAST_EVERY, NIGHTLY, TRAINING
from pipelines_dagster.defs.promotion.champion import champion
from pipelines_dagster.defs.promotion.keys import open_keys
from pipelines_dagster.registry.store import open_artefacts
from pipelines_dagster.resources import Pipelines

TRAINED = dg.AssetKey(["models", "predictor"])
_UNDER_WAY = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
]


@dg.sensor(
    name="new_rows_or_a_day",
    job=JOBS[TRAINING],
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
)
def new_rows_or_a_day(context: dg.SensorEvaluationContext, pipelines: Pipelines) -> dg.SensorResult:
    """The cursor counts; a training that another job ran starts the count anew."""
    now, last = time.time(), last_training(context.instance)
    since = Since.of(context.cursor) if context.cursor else Since(last or now)
    since = since.counted(pipelines.lake())
    if last is not None and last > since.trained:
        since = since.trained_at(last)
    if training_under_way(context.instance):
        return dg.SensorResult(skip_reason="a training is under way", cursor=since.text())
    why = since.why(now) or must_forget(pipelines, since.trained, now)
    if why is None:
        return dg.SensorResult(skip_reason=f"{since.rows} new rows", cursor=since.text())
    key = "-".join(f"{version}" for _, version in sorted(since.versions.items()))
    request = dg.RunRequest(run_key=f"training-{since.trained:.0f}-{key}", tags={"why": why})
    return dg.SensorResult([request], cursor=since.trained_at(now).text())


def last_training(instance: dg.DagsterInstance) -> float | None:
    """Unix seconds at which a predictor was last trained, whatever job did it."""
    event = instance.get_latest_materialization_event(TRAINED)
    return None if event is None else event.timestamp


def must_forget(pipelines: Pipelines, trained: float, now: float) -> str | None:
    """Why a live version must be replaced: it learned from what was erased since.

    At once when that was marked, then once a day until another version is live.
    """
    lake = pipelines.lake()
    if lake.open(INVALIDATIONS) is None:
        return None
    marked = lake.scan(INVALIDATIONS).select(pl.col("at").max()).collect().item()
    if (marked or 0.0) <= trained and now - trained < AT_LEAST_EVERY.total_seconds():
        return None
    settings = pipelines.settings()
    keys, artefacts = open_keys(settings), open_artefacts(settings)
    for subsystem in SUBSYSTEMS:
        live = champion(subsystem, keys, artefacts, settings)
        if live is not None and retrain_due(lake, subsystem, live.version):
            return f"{live.version} learned from what was erased"
    return None


def training_under_way(instance: dg.DagsterInstance) -> bool:
    """Queued or running, under whatever job."""
    runs = dg.RunsFilter(statuses=_UNDER_WAY, tags={POOL: NIGHTLY.pool})
    return bool(instance.get_runs(runs, limit=1))
