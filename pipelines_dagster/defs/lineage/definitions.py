# SPDX-License-Identifier: Apache-2.0
"""What this area gives to Dagster."""

from __future__ import annotations

import dagster as dg

from pipelines_dagster.defs.lineage.assets import lineage_report

JOB = dg.define_asset_job("lineage", selection=dg.AssetSelection.assets(lineage_report))
DAILY = dg.ScheduleDefinition(
    name="lineage_daily",
    job=JOB,
    cron_schedule="30 6 * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
)
DEFS = dg.Definitions(assets=[lineage_report], jobs=[JOB], schedules=[DAILY])
