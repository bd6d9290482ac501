# SPDX-License-Identifier: Apache-2.0
"""Deadlines: every tick of the timetable that has one is judged once, written down, told if missed.

`ops/sla` has a row per tick; `<state>/metrics/operations.prom` is made from it, so that counts
survive restarts: `orch_sla_miss_total`, `orch_dag_sla` (seconds from the tick to its end).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import polars as pl
from prometheus_client import CollectorRegistry, Counter, Gauge, write_to_textfile

from pipelines_dagster.defs.operations.outcomes import Outcome, outcome
from pipelines_dagster.defs.operations.plan import TIMETABLE, Timetable, last_due
from pipelines_dagster.defs.operations.tell import Tell
from pipelines_dagster.lake.lake import Lake

TABLE = "ops/sla"
METRICS = Path("metrics") / "operations.prom"
_KEPT = (Outcome.DONE, Outcome.REFUSED)
_SCHEMA = {
    "job": pl.String,
    "tick": pl.Float64,
    "deadline": pl.Float64,
    "finished": pl.Float64,
    "outcome": pl.String,
    "missed": pl.Boolean,
}


def judge(
    instance: dg.DagsterInstance,
    lake: Lake,
    tell: Tell,
    now: datetime,
    *,
    since: datetime,
    timetable: Sequence[Timetable] = TIMETABLE,
) -> list[str]:
    """Judge every tick after `since` whose deadline has passed and that was not judged before.

    Returns:
        the jobs whose deadline was missed.
    """
    judged = _judged(lake)
    rows = []
    for entry in timetable:
        due = last_due(entry, now)
        if due is None or due.began < since or (entry.job, due.began.timestamp()) in judged:
            continue
        found, ended = outcome(instance, entry.job, due)
        rows.append(
            {
                "job": entry.job,
                "tick": due.began.timestamp(),
                "deadline": due.deadline.timestamp(),
                "finished": ended,
                "outcome": str(found),
                "missed": found not in _KEPT,
            }
        )
    if rows:
        lake.append(TABLE, pl.DataFrame(rows, schema=_SCHEMA))
    missed = [row for row in rows if row["missed"]]
    for row in missed:
        tell("sla_missed", job=row["job"], outcome=row["outcome"], deadline=row["deadline"])
    return [str(row["job"]) for row in missed]


def _judged(lake: Lake) -> set[tuple[str, float]]:
    if lake.open(TABLE) is None:
        return set()
    found = lake.scan(TABLE).select("job", "tick").collect()
    return set(zip(found["job"].to_list(), found["tick"].to_list(), strict=True))


def publish(lake: Lake, file: Path) -> None:
    """Write the metrics of everything judged so far, for a node exporter's textfile collector."""
    registry = CollectorRegistry()
    misses = Counter("orch_sla_miss", "Deadlines missed.", ["job"], registry=registry)
    took = Gauge("orch_dag_sla", "Seconds from tick to end, last.", ["job"], registry=registry)
    for entry in TIMETABLE:
        if entry.finish is not None:
            misses.labels(entry.job)
    if lake.open(TABLE) is not None:
        for row in lake.scan(TABLE).sort("tick").collect().iter_rows(named=True):
            misses.labels(row["job"]).inc(int(row["missed"]))
            if row["finished"]:
                took.labels(row["job"]).set(row["finished"] - row["tick"])
    file.parent.mkdir(parents=True, exist_ok=True)
    write_to_textfile(str(file), registry)


def started(cursor: str | None, now: datetime) -> datetime:
    """Since when ticks are judged: a fresh installation has missed nothing yet."""
    return now if not cursor else datetime.fromtimestamp(float(cursor), UTC)
