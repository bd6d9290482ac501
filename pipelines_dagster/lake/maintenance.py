# SPDX-License-Identifier: Apache-2.0
"""Keeping a table small: compaction, days that are past their time, files nobody refers to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from deltalake import DeltaTable

from pipelines_dagster.lake.layout import PARTITION, schema_of, writer

TARGET_BYTES = 256 * 2**20


@dataclass(frozen=True)
class Compaction:
    """Files before and after."""

    removed: int
    added: int


@dataclass(frozen=True)
class Vacuum:
    """Files that were removed: of old versions, and of writers that died."""

    files: list[str]
    orphans: list[str]


def compact(table: DeltaTable, day: date | None) -> Compaction:
    """One file a day, or as few as `TARGET_BYTES` allows. Rows and their order stay."""
    done = table.optimize.compact(
        partition_filters=[(PARTITION, "=", day.isoformat())] if day else None,
        target_size=TARGET_BYTES,
        writer_properties=writer(schema_of(table)),
    )
    return Compaction(int(done["numFilesRemoved"]), int(done["numFilesAdded"]))


def vacuum(table: DeltaTable, retention_h: int, orphans_h: int) -> Vacuum:
    """See `Lake.vacuum`."""
    gone = table.vacuum(
        retention_hours=retention_h, dry_run=False, enforce_retention_duration=False
    )
    orphans = table.vacuum(
        retention_hours=max(orphans_h, retention_h, 1),
        dry_run=False,
        enforce_retention_duration=False,
        full=True,
    )
    return Vacuum(sorted(gone), sorted(orphans))


def days(table: DeltaTable) -> list[str]:
    """The table's partitions, oldest first."""
    return sorted({found[PARTITION] for found in table.partitions()})


def drop_partitions(table: DeltaTable, before: date) -> list[str]:
    """See `Lake.drop_partitions`."""
    gone = [day for day in days(table) if day < before.isoformat()]
    if gone:
        table.delete(f"{PARTITION} < '{before.isoformat()}'")
    return gone
