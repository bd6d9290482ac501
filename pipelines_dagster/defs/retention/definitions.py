# SPDX-License-Identifier: Apache-2.0
"""What this area gives to Dagster: the asset, and its hour, 02:00 UTC."""

from __future__ import annotations

import dagster as dg

from pipelines_dagster.defs.retention.assets import retention

JOB = dg.define_asset_job("retention", selection=dg.AssetSelection.assets(retention))
NIGHTLY = dg.ScheduleDefinition(
    name="retention_nightly",
    job=JOB,
    cron_schedule="0 2 * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
)
DEFS = dg.Definitions(assets=[retention], jobs=[JOB], schedules=[NIGHTLY])
