# SPDX-License-Identifier: Apache-2.0
"""Starts a training when a million rows are new, or some are and the last training is a day old."""

from __future__ import annotations

import time

import dagster as dg

from pipelines_dagster.defs.operations.jobs import JOBS, POOL
from pipelines_dagster.defs.operations.new_rows import Since
from pipelines_dagster.defs.operations.plan import NIGHTLY, TRAINING
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
    why = since.why(now)
    if why is None:
        return dg.SensorResult(skip_reason=f"{since.rows} new rows", cursor=since.text())
    key = "-".join(f"{version}" for _, version in sorted(since.versions.items()))
    request = dg.RunRequest(run_key=f"training-{since.trained:.0f}-{key}", tags={"why": why})
    return dg.SensorResult([request], cursor=since.trained_at(now).text())


def last_training(instance: dg.DagsterInstance) -> float | None:
    """Unix seconds at which a predictor was last trained, whatever job did it."""
    event = instance.get_latest_materialization_event(TRAINED)
    return None if event is None else event.timestamp


def training_under_way(instance: dg.DagsterInstance) -> bool:
    """Queued or running, under whatever job."""
    runs = dg.RunsFilter(statuses=_UNDER_WAY, tags={POOL: NIGHTLY.pool})
    return bool(instance.get_runs(runs, limit=1))
