# SPDX-License-Identifier: Apache-2.0
"""What is older than it may be: days of tables, training sets, sealed billing records.

Reads the store's own list of files, so what a crash left behind goes with its day. A day goes when
all of it is too old: `dt` < today - TTL.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from bls.settlement.segments import sealed
from pipelines_dagster.defs.gdpr.records import ALL
from pipelines_dagster.defs.retention.ttl import LEDGER_DAYS, ttl_of
from pipelines_dagster.lake.files import Files, Found

_DAY = re.compile(r"(?P<table>[a-z]+/[a-z0-9_]+)/dt=(?P<day>\d{4}-\d{2}-\d{2})/")
_GOLD = re.compile(r"(?P<set>gold/[a-z0-9_]+/[a-z0-9_]+)/(?:held/)?[^/]+\.parquet")
_LOG = "/_delta_log/"


@dataclass(frozen=True)
class Due:
    """One folder, or one file of billing records, that is too old.

    Attributes:
        kind: `partition`, `gold` or `ledger`.
        path: below the lake's root, or the file.
        table, day: whose it is; of when its youngest row is.
        files, size: how many files, bytes.
    """

    kind: str
    path: str
    table: str
    day: str
    files: int
    size: int


def due_partitions(
    files: Files, today: date, layers: tuple[str, ...] = ("bronze", "silver")
) -> list[Due]:
    """Days of tables past their time, oldest first."""
    sizes: dict[tuple[str, str], list[int]] = {}
    for layer in layers:
        for file in files.find(layer):
            found = _DAY.match(file.path)
            if found and _LOG not in file.path:
                sizes.setdefault((found["table"], found["day"]), []).append(file.size)
    due = [
        Due("partition", f"{table}/dt={day}", table, day, len(found), sum(found))
        for (table, day), found in sizes.items()
        if _is_old(table, day, today)
    ]
    return sorted(due, key=lambda one: (one.day, one.table))


def due_gold(files: Files, today: date) -> list[Due]:
    """Training sets past their time, by when they were written; their cards stay."""
    sets: dict[str, list[Found]] = {}
    for file in files.find("gold"):
        if found := _GOLD.fullmatch(file.path):
            sets.setdefault(found["set"], []).append(file)
    due = []
    for path, found_files in sorted(sets.items()):
        day = datetime.fromtimestamp(max(one.changed for one in found_files), UTC).date()
        if _is_old(path.rsplit("/", 1)[0], day.isoformat(), today):
            size = sum(one.size for one in found_files)
            due.append(Due("gold", path, path, day.isoformat(), len(found_files), size))
    return due


def due_ledger(folder: Path, taken: Mapping[str, int], today: date) -> list[Due]:
    """Sealed billing records past their time that the lake has.

    The newest sealed file of a stream always stays: the numbers of the next follow from it.

    Args:
        taken: stream -> number of the last sealed file that the lake has all of.
    """
    return [
        Due("ledger", str(path), stream, day.isoformat(), 1, path.stat().st_size)
        for stream in ALL
        for path, day in _old_segments(folder, stream, today)
        if int(path.name.rsplit(".", 1)[1]) <= taken.get(stream, 0)
    ]


def _old_segments(folder: Path, stream: str, today: date) -> Iterator[tuple[Path, date]]:
    """Sealed files but the newest, from the oldest on while they are too old."""
    for path in sealed(folder, stream)[:-1]:
        day = datetime.fromtimestamp(path.stat().st_mtime, UTC).date()
        if day >= today - timedelta(days=LEDGER_DAYS):
            return
        yield path, day


def _is_old(table: str, day: str, today: date) -> bool:
    days = ttl_of(table)
    return days is not None and date.fromisoformat(day) < today - timedelta(days=days)
