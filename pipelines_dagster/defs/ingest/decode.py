# SPDX-License-Identifier: Apache-2.0
"""A batch of a topic's messages as rows of its bronze table; what is not an event, apart.

A message names the schema it was written with, and is resolved to today's: fields that came later
take their defaults. Blocks of messages are decoded at once (`container`); one that holds a bad
message is sorted out one by one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from bls.events.schema import MARK, schema
from pipelines_dagster.defs.ingest.columns import KAFKA, bronze_schema, fields
from pipelines_dagster.defs.ingest.container import read_block
from pipelines_dagster.defs.ingest.onebyone import read_one
from pipelines_dagster.defs.ingest.writers import Avro, writers
from pipelines_dagster.lake.layout import PARTITION

BLOCK = 8192
HEAD = len(MARK) + 8
EMPTY, UNKNOWN, TIME = "empty", "unknown_schema", "bad_time"
FIRST_TS, LAST_TS = 946_684_800.0, 4_102_444_800.0
"""Events are of 2000 to 2099: other times are a fault, and would make partitions of their own."""

_ROW = "row of the batch"


@dataclass(frozen=True)
class Batch:
    """Messages of one topic, in the order they came; the columns are of the same length."""

    topic: str
    values: Sequence[bytes | None]
    partitions: np.ndarray[Any, np.dtype[np.int32]]
    offsets: np.ndarray[Any, np.dtype[np.int64]]
    times: np.ndarray[Any, np.dtype[np.int64]]
    """Kafka's timestamps, Unix milliseconds."""

    def __len__(self) -> int:
        return len(self.values)


@dataclass(frozen=True)
class Decoded:
    """`rows`: as `bronze_schema`, in order. `bad`: index in the batch and reason."""

    rows: pl.DataFrame
    bad: dict[int, str]


def decode(batch: Batch) -> Decoded:
    """Every message is either a row or bad."""
    known = writers(batch.topic)
    bad: dict[int, str] = {}
    groups: dict[bytes, list[int]] = {head: [] for head in known}
    for at, value in enumerate(batch.values):
        found = groups.get(value[:HEAD]) if value else None
        if found is not None:
            found.append(at)
        else:
            bad[at] = UNKNOWN if value else EMPTY
    frames = [
        _block(batch, known[head], places[start : start + BLOCK], bad)
        for head, places in groups.items()
        for start in range(0, len(places), BLOCK)
    ]
    rows = pl.concat(frames) if frames else _frame(batch.topic, [], [])
    if len([places for places in groups.values() if places]) > 1:
        rows = rows.sort(_ROW)
    return _placed(batch, rows, bad)


def _block(batch: Batch, writer: Avro, places: list[int], bad: dict[int, str]) -> pl.DataFrame:
    """Rows of these messages, as today's schema has them, with their places."""
    current = schema(batch.topic)
    payloads = [(batch.values[at] or b"")[HEAD:] for at in places]
    if writer is current or _same_types(writer, current):
        rows = read_block(writer, payloads)
        if rows is not None:
            return _resolved(rows, batch.topic).with_columns(pl.Series(_ROW, places, pl.Int64))
    records, kept = [], []
    for at, payload in zip(places, payloads, strict=True):
        found = read_one(payload, writer, current)
        if isinstance(found, str):
            bad[at] = found
        else:
            records.append(found)
            kept.append(at)
    return _frame(batch.topic, records, kept)


def _frame(topic: str, records: list[dict[str, Any]], places: list[int]) -> pl.DataFrame:
    rows = pl.DataFrame(records, schema=fields(schema(topic)))
    return rows.with_columns(pl.Series(_ROW, places, pl.Int64))


def _same_types(writer: Avro, current: Avro) -> bool:
    """Whether the two differ in nothing but fields that one of them lacks."""
    old, new = fields(writer), fields(current)
    return all(new[name] == old[name] for name in old.keys() & new.keys())


def _resolved(rows: pl.DataFrame, topic: str) -> pl.DataFrame:
    kinds = fields(schema(topic))
    if list(kinds) == rows.columns:
        return rows
    defaults = {found["name"]: found.get("default") for found in schema(topic)["fields"]}
    return rows.select(
        pl.col(name) if name in rows.columns else _default(name, defaults[name], wanted)
        for name, wanted in kinds.items()
    )


def _default(name: str, value: Any, wanted: pl.DataType) -> pl.Expr:
    if wanted == pl.Binary and isinstance(value, str):
        value = value.encode("latin-1")
    return pl.lit(pl.Series([value], dtype=wanted)).first().alias(name)


def _placed(batch: Batch, rows: pl.DataFrame, bad: dict[int, str]) -> Decoded:
    """With where each row came from and its day; a row of no possible day is bad."""
    timely = rows["ts"].is_between(FIRST_TS, LAST_TS, closed="left")
    if not timely.all():
        bad.update(dict.fromkeys(rows.filter(~timely)[_ROW].to_list(), TIME))
        rows = rows.filter(timely)
    places = rows[_ROW].to_numpy()
    day = (pl.col("ts") / 86_400).floor().cast(pl.Int32).cast(pl.Date).cast(pl.String)
    done = rows.with_columns(
        pl.Series("kafka_partition", batch.partitions[places], KAFKA["kafka_partition"]),
        pl.Series("kafka_offset", batch.offsets[places], KAFKA["kafka_offset"]),
        day.alias(PARTITION),
    )
    return Decoded(done.select(bronze_schema(batch.topic).names()), dict(sorted(bad.items())))
