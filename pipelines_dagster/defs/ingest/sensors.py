# SPDX-License-Identifier: Apache-2.0
"""Runs ingest when something waits in Kafka, and tells Dagster of what came in by other ways.

A sensor, not a schedule: a minute's schedule would start 1,440 runs a day, most of them to find
nothing, while asking Kafka and the lake takes a fraction of a second. Where `ingest --follow` runs
as a service nothing ever waits; then the sensor reports the tables' new versions, so that what is
downstream (freshness, automation, lineage) sees them all the same.
"""

import json

import dagster as dg

from bls.errors import SkynetError
from bls.events.topics import TOPICS
from pipelines_dagster.defs.ingest.assets import key, metadata
from pipelines_dagster.defs.ingest.ingest import bronze
from pipelines_dagster.defs.ingest.jobs import INGEST
from pipelines_dagster.defs.ingest.once import ONCE, build
from pipelines_dagster.defs.ingest.report import Report
from pipelines_dagster.lake.lake import Lake
from pipelines_dagster.resources import Pipelines

INTERVAL_S = 30
_LIVE = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
]


@dg.sensor(
    name="kafka_lag",
    job=INGEST,
    minimum_interval_seconds=INTERVAL_S,
    default_status=dg.DefaultSensorStatus.RUNNING,
)
def kafka_lag(context: dg.SensorEvaluationContext, pipelines: Pipelines) -> dg.SensorResult:
    settings = pipelines.settings()
    running = dg.RunsFilter(job_name=INGEST.name, statuses=_LIVE)
    if context.instance.get_runs_count(running):
        return dg.SensorResult(skip_reason="A run is under way.", cursor=context.cursor)
    try:
        report = build(settings, ONCE).look()
    except SkynetError as fault:
        return dg.SensorResult(skip_reason=fault.message, cursor=context.cursor)
    if report.waiting:
        tags = {"waiting": str(report.waiting)}
        return dg.SensorResult(run_requests=[dg.RunRequest(tags=tags)], cursor=context.cursor)
    return news(settings.open_lake(), report, context.cursor)


def news(lake: Lake, report: Report, cursor: str | None) -> dg.SensorResult:
    """Tables whose version is not the one of the last look, as materialisations."""
    seen = json.loads(cursor or "{}")
    versions = {}
    events = []
    for topic in TOPICS.values():
        table = lake.open(bronze(topic.name))
        if table is None:
            continue
        versions[topic.table] = int(table.version())
        if versions[topic.table] != seen.get(topic.table):
            found = metadata(report.topic(topic.name)) | {"lake_version": versions[topic.table]}
            found.pop("dagster/row_count")
            events.append(dg.AssetMaterialization(asset_key=key(topic), metadata=found))
    reason = None if events else "Nothing waits, nothing is new."
    return dg.SensorResult(
        skip_reason=reason,
        asset_events=events,
        cursor=json.dumps(versions, sort_keys=True),
    )
