# SPDX-License-Identifier: Apache-2.0
"""What must hold of a bronze table; None, or what does not, in words."""

from __future__ import annotations

import polars as pl

from bls.events.topics import TOPICS
from pipelines_dagster.defs.ingest.columns import bronze_schema
from pipelines_dagster.defs.ingest.origin import holes
from pipelines_dagster.lake.lake import Lake
from pipelines_dagster.lake.layout import PARTITION

LAST = 1_000
"""Commits that are looked at: the checks run with every ingest, and a table's log grows."""


def table_of(topic: str) -> str:
    return f"bronze/{TOPICS[topic].table}"


def schema_fault(lake: Lake, topic: str) -> str | None:
    """Columns and types are the topic's, and a table that had events has rows."""
    if lake.open(table_of(topic)) is None:
        return None
    found = lake.scan(table_of(topic)).collect_schema()
    for name, kind in bronze_schema(topic).items():
        if name not in found:
            return f"{name} is missing"
        if found[name] != kind:
            return f"{name} is {found[name]}, expected {kind}"
    written = sum(int(c.origin.get("rows", 0)) for c in lake.origins(table_of(topic), LAST))
    if written and not lake.scan(table_of(topic)).select(pl.len()).collect().item():
        return f"no rows, though {written} were written"
    return None


def gap_fault(lake: Lake, topic: str) -> str | None:
    """Every Kafka offset was taken: by the commits' own ranges, and Kafka dropped none unread."""
    if lake.open(table_of(topic)) is None:
        return None
    commits = lake.origins(table_of(topic), LAST)
    for hole in holes(commits):
        return f"partition {hole.partition}: offsets {hole.first} to {hole.next} were not taken"
    dropped = [commit.version for commit in commits if "lost" in commit.origin]
    if dropped:
        return f"Kafka had dropped messages before version {dropped[-1]}"
    return None


def repeat_fault(lake: Lake, topic: str) -> str | None:
    """In the newest day no event id is there twice, nor an offset of one cluster.

    An id of a topic that is told again may be.
    """
    if lake.open(table_of(topic)) is None:
        return None
    rows = lake.scan(table_of(topic))
    newest = rows.select(pl.col(PARTITION).max()).collect().item()
    if newest is None:
        return None
    day = rows.filter(pl.col(PARTITION) == newest)
    place = pl.struct("kafka_partition", "kafka_offset")
    count, ids, places = (
        day.select(pl.len(), pl.col("event_id").n_unique(), place.n_unique().alias("places"))
        .collect()
        .row(0)
    )
    if ids < count and not TOPICS[topic].retold:
        return f"{count - ids} event ids more than once on {newest}"
    if places == count:
        return None
    commits = lake.origins(table_of(topic))
    clusters = {c.origin["cluster"] for c in commits if "cluster" in c.origin}
    return f"{count - places} offsets more than once on {newest}" if len(clusters) == 1 else None
