# SPDX-License-Identifier: Apache-2.0
"""`bronze/<table>`: one asset a topic, all filled by one run of ingest."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from typing import Any

import dagster as dg

from bls.events.topics import TOPICS, Topic
from pipelines_dagster.defs.ingest import once
from pipelines_dagster.defs.ingest.report import TopicReport
from pipelines_dagster.resources import Pipelines

RETRY = dg.RetryPolicy(max_retries=2, delay=1, backoff=dg.Backoff.EXPONENTIAL)
"""Ingest already waits for a store that is away; a run that still fails is tried twice more."""


def key(topic: Topic) -> dg.AssetKey:
    return dg.AssetKey(["bronze", topic.table])


KEYS = [key(topic) for topic in TOPICS.values()]
SPECS = [
    dg.AssetSpec(
        key(topic),
        group_name="bronze",
        kinds={"kafka", "deltalake"},
        description=f"Events of {topic.name}, each once, as they came."
        + (" Billing: none is ever dropped." if topic.billing else ""),
    )
    for topic in TOPICS.values()
]


@dg.multi_asset(specs=SPECS, name="kafka_to_bronze", retry_policy=RETRY, pool="ingest")
def ingest(pipelines: Pipelines) -> Iterator[dg.MaterializeResult[Any]]:
    """Everything that is in Kafka when the run begins."""
    report = once.ingest_once(pipelines.settings())
    for topic in TOPICS.values():
        found = metadata(report.topic(topic.name))
        yield dg.MaterializeResult(asset_key=key(topic), metadata=found)


def metadata(report: TopicReport) -> dict[str, Any]:
    """What an asset shows of its topic."""
    offsets = {str(p): at for p, at in sorted(report.offsets.items())}
    shown: dict[str, Any] = {
        "dagster/row_count": report.rows,
        "duplicates": report.duplicates,
        "dead_letters": report.dead,
        "lost_in_kafka": report.lost,
        "waiting": report.waiting,
        "lag_s": report.lag_s(time.time()),
        "next_offsets": dg.MetadataValue.json(offsets),
        "lake_version": report.version,
    }
    if not math.isnan(report.newest):
        shown["newest_event"] = dg.MetadataValue.timestamp(report.newest)
        shown["delay_p95_s"] = report.delay_s
    return shown
