# SPDX-License-Identifier: Apache-2.0
"""What this area gives to Dagster: invoices every night, when the day is in the lake."""

from __future__ import annotations

import dagster as dg

from pipelines_dagster.defs.billing.assets import invoices, nothing_held

JOB = dg.define_asset_job("invoices", selection=dg.AssetSelection.assets(invoices))
NIGHTLY = dg.ScheduleDefinition(
    name="invoices_nightly",
    job=JOB,
    cron_schedule="0 3 * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
)
DEFS = dg.Definitions(
    assets=[invoices], asset_checks=[nothing_held], jobs=[JOB], schedules=[NIGHTLY]
)
