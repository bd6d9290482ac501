# SPDX-License-Identifier: Apache-2.0
"""Starts a training of adapters at 10,000 new click pairs (content_generation 2.2.2).

The pairs of an hour are written anew when the hour is, so the table's size is compared with what it
was when adapters were last asked for; the weekly hour is a schedule of its own.
"""

from __future__ import annotations

import json

import dagster as dg
import polars as pl

from bls.errors import SkynetError
from pipelines_dagster.defs.operations.jobs import JOBS
from pipelines_dagster.defs.operations.plan import LORA, NEW_PAIRS
from pipelines_dagster.defs.operations.training_sensor import training_under_way
from pipelines_dagster.lake.lake import Lake
from pipelines_dagster.resources import Pipelines

TABLE = "silver/click_pairs"


@dg.sensor(
    name="new_click_pairs",
    job=JOBS[LORA.job],
    minimum_interval_seconds=300,
    default_status=dg.DefaultSensorStatus.RUNNING,
)
def new_click_pairs(context: dg.SensorEvaluationContext, pipelines: Pipelines) -> dg.SensorResult:
    """The cursor is the table's rows at the last request."""
    rows, before = count(pipelines.lake()), rows_of(context.cursor)
    before = min(before, rows)  # erasure took some
    if rows - before < NEW_PAIRS or training_under_way(context.instance):
        why = f"{rows - before} new click pairs"
        return dg.SensorResult(skip_reason=why, cursor=json.dumps({"rows": before}))
    tags = {"why": f"{rows - before} new click pairs"}
    request = dg.RunRequest(run_key=f"lora-{before}-{rows}", tags=tags)
    return dg.SensorResult([request], cursor=json.dumps({"rows": rows}))


def count(lake: Lake) -> int:
    """Rows of the table; 0 without one."""
    if lake.open(TABLE) is None:
        return 0
    return int(lake.scan(TABLE).select(pl.len()).collect().item())


def rows_of(cursor: str | None) -> int:
    """Raises `bad_cursor`."""
    if not cursor:
        return 0
    try:
        return int(json.loads(cursor)["rows"])
    except (ValueError, KeyError, TypeError):
        raise SkynetError("bad_cursor", "Not a cursor of click pairs.") from None
