# SPDX-License-Identifier: Apache-2.0
"""Jobs: ingest with its checks, and the upkeep of every table of the lake."""

import dagster as dg

from pipelines_dagster.defs.ingest.assets import KEYS
from pipelines_dagster.lake.lake import Lake
from pipelines_dagster.lake.removal import tables_of
from pipelines_dagster.resources import Pipelines

INGEST = dg.define_asset_job(
    "ingest",
    selection=dg.AssetSelection.assets(*KEYS),
    executor_def=dg.in_process_executor,
)


def upkeep(lake: Lake) -> dict[str, tuple[int, int]]:
    """Small files made one a day, old ones removed: files joined and removed, by table."""
    done = {}
    for table in tables_of(lake):
        joined = lake.compact(table).removed
        gone = lake.vacuum(table)
        done[table] = (joined, len(gone.files) + len(gone.orphans))
    return done


@dg.op
def keep_bronze(context: dg.OpExecutionContext, pipelines: Pipelines) -> None:
    for table, (joined, removed) in upkeep(pipelines.lake()).items():
        context.log.info("%s: %d files joined, %d removed", table, joined, removed)


@dg.job
def bronze_upkeep() -> None:
    keep_bronze()


HOURLY = dg.ScheduleDefinition(
    name="bronze_upkeep_hourly",
    job=bronze_upkeep,
    cron_schedule="17 * * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
)
