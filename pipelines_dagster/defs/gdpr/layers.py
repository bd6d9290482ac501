# SPDX-License-Identifier: Apache-2.0
"""The tables of the lake: every one of them, found by its columns and not by a list of names."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from pipelines_dagster.defs.gdpr import audit, requests, tombstones
from pipelines_dagster.defs.gdpr.audit import Step
from pipelines_dagster.defs.gdpr.predicate import Keys, anything, rows, shared, where
from pipelines_dagster.lake.lake import Lake
from pipelines_dagster.lake.removal import (
    Removed,
    clean_log,
    delete_rows,
    forget_files,
    prove,
    rewrite_rows,
    tables_of,
)

_OURS = (requests.TABLE, audit.TABLE, tombstones.TABLE, tombstones.SALT)


def tables(lake: Lake) -> list[str]:
    """Every table that may hold the subject; ours hold hashes."""
    return [table for table in tables_of(lake) if table not in _OURS]


def erase_table(lake: Lake, table: str, keys: Keys, keep: bool) -> Step | None:
    """Erase the subject from one table and prove it; None where no column can hold it.

    Args:
        keep: leave it as it is, and say so.
    """
    schema = lake.scan(table).collect_schema()
    if anything(keys, schema, table) is None:
        return None
    if keep:
        return Step(table, kept=True, note="kept: records of charges (keep_billing)")
    deleted, blanked = Removed(), Removed()
    if rows(keys, schema, table) is not None:
        deleted = delete_rows(lake, table, where(keys, schema, table))
    part = shared(keys, schema)
    if part is not None:
        blanked = rewrite_rows(lake, table, *part)
    forget_files(lake, table)
    clean_log(lake, table)
    proof = prove(lake, table, lambda schema: anything(keys, schema, table))
    versions = [one for one in (deleted, blanked) if one.before >= 0]
    return Step(
        table,
        removed=deleted.rows,
        blanked=blanked.rows,
        files=deleted.files + blanked.files + proof.removed,
        before=versions[0].before,
        after=versions[-1].after,
        scanned=proof.files,
        found=proof.rows + proof.stray,
        note="in a file that is being written" if proof.stray else "",
    )


def plan(lake: Lake, keys: Keys, keep: tuple[str, ...]) -> Iterator[Step]:
    """What would go, table by table: rows and rows with a name to blank; nothing is changed."""
    for table in tables(lake):
        frame = lake.scan(table)
        schema = frame.collect_schema()
        if anything(keys, schema, table) is None:
            continue
        if table in keep:
            yield Step(table, kept=True, note="kept: records of charges (keep_billing)")
            continue
        whole, part = rows(keys, schema, table), shared(keys, schema)
        removed = 0 if whole is None else _count(frame, whole)
        yield Step(table, removed=removed, blanked=0 if part is None else _count(frame, part[0]))


def _count(frame: pl.LazyFrame, wanted: pl.Expr) -> int:
    return int(frame.filter(wanted).select(pl.len()).collect().item())
