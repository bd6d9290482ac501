# SPDX-License-Identifier: Apache-2.0
"""The timetable as schedules; they run as soon as the daemon does."""

from __future__ import annotations

import dagster as dg

from pipelines_dagster.defs.operations.jobs import JOBS
from pipelines_dagster.defs.operations.plan import TIMETABLE

SCHEDULES = [
    dg.ScheduleDefinition(
        name=f"{entry.job}_schedule",
        job=JOBS[entry.job],
        cron_schedule=entry.cron,
        execution_timezone="UTC",
        description=entry.what,
        default_status=dg.DefaultScheduleStatus.RUNNING,
    )
    for entry in TIMETABLE
]
