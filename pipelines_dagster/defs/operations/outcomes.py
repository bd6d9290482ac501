# SPDX-License-Identifier: Apache-2.0
"""How a run ended: done, refused by a gate (which is what gates are for), or failed."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum

import dagster as dg

from pipelines_dagster.defs.operations.plan import Due

_REFUSAL = "DagsterAssetCheckFailedError"


class Outcome(StrEnum):
    DONE = "done"
    REFUSED = "refused"
    FAILED = "failed"
    LATE = "late"
    """Finished after its deadline."""
    MISSING = "missing"
    """Not finished, or never started."""


def failed_steps(instance: dg.DagsterInstance, run_id: str) -> dict[str, str]:
    """Class of the error of every step that failed, by the step's key."""
    records = instance.all_logs(run_id, of_type=dg.DagsterEventType.STEP_FAILURE)
    found = {}
    for record in records:
        event = record.get_dagster_event()
        error = event.step_failure_data.error
        found[str(event.step_key)] = "" if error is None else str(error.cls_name)
    return found


def verdict(instance: dg.DagsterInstance, run: dg.DagsterRun) -> Outcome:
    """Of a finished run, whenever it finished."""
    if run.status == dg.DagsterRunStatus.SUCCESS:
        return Outcome.DONE
    steps = failed_steps(instance, run.run_id)
    refused = bool(steps) and all(error == _REFUSAL for error in steps.values())
    return Outcome.REFUSED if refused else Outcome.FAILED


def outcome(instance: dg.DagsterInstance, job: str, due: Due) -> tuple[Outcome, float]:
    """The best a job's runs came to between a tick and its deadline, and the Unix second of it.

    A run that was refused by a gate has done its work in time.
    """
    runs = instance.get_run_records(
        dg.RunsFilter(job_name=job, created_after=due.began.astimezone(UTC)), ascending=True
    )
    best = Outcome.MISSING, 0.0
    for record in runs:
        ended = record.end_time
        if ended is None or record.create_timestamp > due.deadline:
            continue
        found = verdict(instance, record.dagster_run)
        if datetime.fromtimestamp(ended, UTC) > due.deadline and found is not Outcome.FAILED:
            found = Outcome.LATE
        if _RANK[found] < _RANK[best[0]]:
            best = found, ended
    return best


_RANK = {
    Outcome.DONE: 0,
    Outcome.REFUSED: 1,
    Outcome.LATE: 2,
    Outcome.FAILED: 3,
    Outcome.MISSING: 4,
}
