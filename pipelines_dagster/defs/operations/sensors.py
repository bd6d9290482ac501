# SPDX-License-Identifier: Apache-2.0
"""Sensors that watch the runs: deadlines, and failures that are no refusals."""

from __future__ import annotations

from datetime import UTC, datetime

import dagster as dg

from pipelines_dagster.defs.operations.canary_sensor import canaries
from pipelines_dagster.defs.operations.click_pairs_sensor import new_click_pairs
from pipelines_dagster.defs.operations.outcomes import Outcome, failed_steps, verdict
from pipelines_dagster.defs.operations.sla import METRICS, judge, publish, started
from pipelines_dagster.defs.operations.tell import teller
from pipelines_dagster.defs.operations.training_sensor import new_rows_or_a_day
from pipelines_dagster.resources import Pipelines


@dg.sensor(
    name="deadlines",
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
)
def deadlines(context: dg.SensorEvaluationContext, pipelines: Pipelines) -> dg.SensorResult:
    """Judges each tick of the timetable once; the cursor is since when."""
    now = datetime.now(UTC)
    since = started(context.cursor, now)
    settings, lake = pipelines.settings(), pipelines.lake()
    missed = judge(context.instance, lake, teller(settings), now, since=since)
    publish(lake, settings.serving.state / METRICS)
    found = f"missed: {', '.join(missed)}" if missed else "nothing is late"
    return dg.SensorResult(skip_reason=found, cursor=repr(since.timestamp()))


@dg.run_failure_sensor(
    name="failures",
    minimum_interval_seconds=30,
    monitor_all_code_locations=True,
    default_status=dg.DefaultSensorStatus.RUNNING,
)
def failures(context: dg.RunFailureSensorContext, pipelines: Pipelines) -> None:
    """Tells of every run that failed, or whose gate refused, by step and class of error."""
    run = context.dagster_run
    refused = verdict(context.instance, run) is Outcome.REFUSED
    teller(pipelines.settings())(
        "refused" if refused else "run_failed",
        job=run.job_name,
        run_id=run.run_id,
        steps=failed_steps(context.instance, run.run_id),
    )


SENSORS = [new_rows_or_a_day, new_click_pairs, canaries, deadlines, failures]
