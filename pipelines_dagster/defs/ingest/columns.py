# SPDX-License-Identifier: Apache-2.0
"""The columns of a bronze table: its topic's Avro fields, where each row came from, its day."""

from __future__ import annotations

from functools import cache
from typing import Any

import polars as pl

from bls.events.schema import schema
from pipelines_dagster.lake.layout import PARTITION

KAFKA: dict[str, pl.DataType] = {"kafka_partition": pl.Int32(), "kafka_offset": pl.Int64()}

_PRIMITIVE: dict[str, pl.DataType] = {
    "int": pl.Int32(),
    "long": pl.Int64(),
    "float": pl.Float32(),
    "double": pl.Float64(),
    "string": pl.String(),
    "bytes": pl.Binary(),
    "boolean": pl.Boolean(),
}


def kind(avro: Any) -> pl.DataType:
    """The polars type of an Avro type. Raises `KeyError` for one that events do not use."""
    if isinstance(avro, str):
        return _PRIMITIVE[avro]
    match avro["type"]:
        case "array":
            return pl.List(kind(avro["items"]))
        case "record":
            return pl.Struct(fields(avro))
        case other:
            return kind(other)


def fields(record: Any) -> dict[str, pl.DataType]:
    """Columns of an Avro record."""
    return {found["name"]: kind(found["type"]) for found in record["fields"]}


@cache
def bronze_schema(topic: str) -> pl.Schema:
    """Columns of the topic's bronze table, in order."""
    return pl.Schema({**fields(schema(topic)), **KAFKA, PARTITION: pl.String()})
