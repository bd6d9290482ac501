# SPDX-License-Identifier: Apache-2.0
"""How a table lies in the store: its partitions, its Parquet files, what its log says of them."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping

import polars as pl
from deltalake import ColumnProperties, DeltaTable, WriterProperties
from deltalake.exceptions import CommitFailedError

from bls.errors import SkynetError

ZSTD = 9
PARTITION = "dt"
"""UTC date of the event, `yyyy-mm-dd`: a string column."""
LOG_DAYS = 400
"""How long a table's log remembers the origin of its commits: past the longest training set."""

_DAY = re.compile(r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])")
_RANGED = ("seq", "ts", "token_idx", "kafka_partition", "kafka_offset")
"""Columns whose range the log keeps per file. Never one that names a person: a log outlives its
rows."""
_PLAIN = (pl.Float64, pl.Float32, pl.Int64, pl.Binary)
_ENCODED: dict[tuple[str, pl.DataType], str] = {
    ("event_id", pl.String()): "DELTA_BYTE_ARRAY",
    ("seq", pl.Int64()): "DELTA_BINARY_PACKED",
    ("kafka_offset", pl.Int64()): "DELTA_BINARY_PACKED",
}
_CHECKPOINT = 20
"""Commits from one checkpoint of the log to the next: a reader replays no more than these."""


def check_days(rows: pl.DataFrame) -> None:
    """Raises `bad_partition` unless every `dt` is a `yyyy-mm-dd` day."""
    if PARTITION not in rows.columns:
        return
    for day in rows[PARTITION].unique():
        if not isinstance(day, str) or not _DAY.fullmatch(day):
            raise SkynetError("bad_partition", "A partition is a day, yyyy-mm-dd.", 409)


def create(uri: str, schema: pl.Schema, options: Mapping[str, str]) -> None:
    """Make an empty table; no fault when another writer just did."""
    ranged = [name for name in _RANGED if name in schema]
    ranges = {"delta.dataSkippingStatsColumns": ",".join(ranged)}
    with contextlib.suppress(CommitFailedError):
        DeltaTable.create(
            uri,
            pl.DataFrame(schema=schema).to_arrow().schema,
            mode="ignore",
            partition_by=[PARTITION] if PARTITION in schema else None,
            configuration={
                "delta.logRetentionDuration": f"interval {LOG_DAYS} days",
                "delta.checkpointInterval": str(_CHECKPOINT),
                **(ranges if ranged else {"delta.dataSkippingNumIndexedCols": "0"}),
            },
            storage_options=dict(options),
        )


def schema_of(table: DeltaTable) -> pl.Schema:
    """Columns of a table as polars has them."""
    return pl.Schema(table.schema().to_arrow())


def writer(schema: pl.Schema) -> WriterProperties:
    """zstd 9, and no dictionary for columns whose values hardly repeat.

    Ids that begin alike and numbers that rise are written as differences.
    """
    plain: dict[str, str | None] = {}
    for name, kind in schema.items():
        if (name, kind) in _ENCODED or kind in _PLAIN:
            plain[name] = _ENCODED.get((name, kind))
        elif isinstance(kind, pl.List) and kind.inner in _PLAIN:
            plain[f"{name}.list.element"] = None
    return WriterProperties(
        compression="ZSTD",
        compression_level=ZSTD,
        column_properties={
            name: ColumnProperties(dictionary_enabled=False, encoding=encoding)
            for name, encoding in plain.items()
        },
    )
