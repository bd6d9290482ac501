# SPDX-License-Identifier: Apache-2.0
"""Rows that must go: out of the table day by day, and proof that no file still holds them.

A day is rewritten whole, so the commit says which days changed and never whom it was about: the
table's log outlives the row.
"""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl
from deltalake import CommitProperties, DeltaTable, write_deltalake

from pipelines_dagster.lake.layout import PARTITION, schema_of, writer

Options = Mapping[str, str]
_FILE = "file of the row"


def days_of(table: DeltaTable, predicate: str) -> list[str | None]:
    """Days with a row for which it holds; `[None]` for a table that has no days."""
    if PARTITION not in schema_of(table):
        return [None]
    hit = pl.scan_delta(table).filter(pl.sql_expr(predicate))
    return hit.select(PARTITION).unique().collect()[PARTITION].sort().to_list()


def rewrite(table: DeltaTable, day: str | None, predicate: str) -> int:
    """Write a day (a table that has none) without the rows; how many there were.

    The day is held in memory meanwhile.
    """
    rows = pl.scan_delta(table)
    before = (rows if day is None else rows.filter(pl.col(PARTITION) == day)).collect()
    kept = before.filter(~pl.sql_expr(predicate).fill_null(False))
    if len(kept) < len(before):
        write_deltalake(
            table,
            kept,
            mode="overwrite",
            predicate=None if day is None else f"{PARTITION} = '{day}'",
            writer_properties=writer(kept.schema),
            commit_properties=CommitProperties(custom_metadata={"reason": "erasure"}),
        )
    return len(before) - len(kept)


def residue(table: DeltaTable, uri: str, options: Options, predicate: str) -> list[str]:
    """Every Parquet file in the table's folders is read; what the log says does not count."""
    schema = schema_of(table)
    days = PARTITION in schema
    found = pl.scan_parquet(
        f"{uri}/{PARTITION}=*/*.parquet" if days else f"{uri}/*.parquet",
        schema={name: kind for name, kind in schema.items() if name != PARTITION},
        hive_schema={PARTITION: pl.String} if days else None,
        hive_partitioning=days,
        missing_columns="insert",
        extra_columns="ignore",
        include_file_paths=_FILE,
        storage_options=dict(options) or None,
    )
    hit = found.filter(pl.sql_expr(predicate)).select(_FILE).unique()
    return hit.collect()[_FILE].sort().to_list()
