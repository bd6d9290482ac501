# SPDX-License-Identifier: Apache-2.0
"""Columns of the bronze tables, out of the event schemas, and rows made without a broker.

A bronze row is an event as it was shipped, with where Kafka had it and the day it is of.
"""

from __future__ import annotations

from typing import Any

import polars as pl

from bls.events.schema import schema
from bls.events.topics import TOPICS
from pipelines_dagster.defs.market.schema import Columns
from pipelines_dagster.lake.lake import PARTITION

PREFIX = "bronze/"
BY_TABLE = {f"{PREFIX}{topic.table}": topic.name for topic in TOPICS.values()}
"""Topic of each bronze table."""

_KINDS: dict[str, pl.DataType | type[pl.DataType]] = {
    "int": pl.Int32,
    "long": pl.Int64,
    "float": pl.Float32,
    "double": pl.Float64,
    "string": pl.String,
    "boolean": pl.Boolean,
    "bytes": pl.Binary,
}
_VERSION = 1


def columns(topic: str) -> Columns:
    """Of a topic's bronze table. Raises `unknown_topic`."""
    fields = {field["name"]: _kind(field["type"]) for field in schema(topic)["fields"]}
    return fields | {
        "kafka_partition": pl.Int32,
        "kafka_offset": pl.Int64,
        PARTITION: pl.String,
    }


def nothing(table: str) -> pl.DataFrame:
    """A bronze table without rows."""
    return pl.DataFrame(schema=columns(BY_TABLE[table]))


def as_bronze(topic: str, lines: pl.DataFrame, source: str, seq: int = 0) -> pl.DataFrame:
    """Recorded lines as the rows that ingest would make of them, all from one partition.

    Args:
        lines: the fields of the topic's lines, `ts` and those of `Topic.about` among them.
        seq: before the first line's.
    """
    wanted = columns(topic)
    key = [*TOPICS[topic].about, *TOPICS[topic].key]
    count = pl.int_range(1, pl.len() + 1, dtype=pl.Int64) + seq
    absent = [name for name in wanted if name not in lines.columns]
    defaults = {field["name"]: field.get("default") for field in schema(topic)["fields"]}
    return (
        lines.with_columns(
            pl.lit(defaults[n]).alias(n) for n in absent if defaults.get(n) is not None
        )
        .with_columns(
            v=pl.lit(_VERSION),
            event_id=pl.concat_str([pl.col(name).cast(pl.String) for name in key], separator=":"),
            source=pl.lit(source),
            seq=count,
            kafka_partition=pl.lit(0),
            kafka_offset=count - 1,
            dt=day_of(pl.col("ts")),
        )
        .with_columns(
            pl.col(name).str.decode("base64")
            for name, kind in wanted.items()
            if kind == pl.Binary and lines.schema[name] == pl.String
        )
        .select(list(wanted))
        .cast(pl.Schema(wanted))
    )


def day_of(ts: pl.Expr) -> pl.Expr:
    """UTC date `yyyy-mm-dd` of Unix seconds."""
    return (ts * 1e6).cast(pl.Int64).cast(pl.Datetime("us")).dt.strftime("%Y-%m-%d")


def _kind(avro: Any) -> pl.DataType | type[pl.DataType]:
    if isinstance(avro, str):
        return _KINDS[avro]
    if avro["type"] == "array":
        return pl.List(_kind(avro["items"]))
    fields = {field["name"]: _kind(field["type"]) for field in avro["fields"]}
    return pl.Struct(fields)
