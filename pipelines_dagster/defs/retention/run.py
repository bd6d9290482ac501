# SPDX-License-Identifier: Apache-2.0
"""Carries a plan out: days dropped from their tables in one commit each, then their files.

A crash leaves files that no table knows; the next night's plan lists and removes them.
"""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path

from pipelines_dagster.defs.gdpr.copies import SETTLED_S, drop_copies
from pipelines_dagster.defs.gdpr.records import ALL
from pipelines_dagster.defs.retention.plan import Due, due_gold, due_ledger, due_partitions
from pipelines_dagster.lake.faults import insist
from pipelines_dagster.lake.files import Files, open_files
from pipelines_dagster.lake.lake import PARTITION, Lake
from pipelines_dagster.notify.streams import Streams
from pipelines_dagster.settings import PipelineSettings

PLAN_LOG, LOG = "gc.plan.log", "gc.log"
_INGESTED = "ingested.json"
_SEGMENT_SHIFT = 40
"""`seq` of a billing event is its file's number << 40 | the offset after its line."""


@dataclass(frozen=True)
class Collected:
    """What went. `mb_s`: bytes that went a second, in 10^6."""

    due: tuple[Due, ...]
    files: int
    size: int
    seconds: float

    @property
    def mb_s(self) -> float:
        return self.size / 1e6 / self.seconds if self.seconds else 0.0


def plan(settings: PipelineSettings, today: date | None = None) -> list[Due]:
    """Everything that is too old today (UTC), written to `gc.plan.log`."""
    day = today or datetime.now(UTC).date()
    files, logs = open_files(settings.open_lake()), settings.serving.logs
    due = [
        *due_partitions(files, day),
        *due_gold(files, day),
        *due_ledger(logs, taken_segments(logs), day),
    ]
    streams = Streams(logs)
    for one in due:
        streams.write(PLAN_LOG, path=one.path, day=one.day, files=one.files, bytes=one.size)
    return due


def collect(settings: PipelineSettings, due: Sequence[Due]) -> Collected:
    """Remove what is due. What is gone already is no fault."""
    began = time.monotonic()
    lake, streams = settings.open_lake(), Streams(settings.serving.logs)
    files = open_files(lake)
    _drop_days(lake, due)
    count = sum(_remove(files, one, streams) for one in due)
    drop_copies(settings, SETTLED_S)
    size = sum(one.size for one in due)
    return Collected(tuple(due), count, size, time.monotonic() - began)


def taken_segments(logs: Path) -> dict[str, int]:
    """Stream -> number of the last file that the lake has all of, as ingest noted it here.

    Without the note nothing counts as taken.
    """
    try:
        noted: Mapping[str, Mapping[str, int]] = json.loads((logs / _INGESTED).read_text())
        return {
            stream: min((int(seq) >> _SEGMENT_SHIFT) - 1 for seq in noted[stream].values())
            for stream in ALL
            if noted.get(stream)
        }
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def _drop_days(lake: Lake, due: Sequence[Due]) -> None:
    days: defaultdict[str, list[str]] = defaultdict(list)
    for one in due:
        if one.kind == "partition":
            days[one.table].append(one.day)
    for table, old in days.items():
        listed = ", ".join(f"'{day}'" for day in sorted(old))
        insist(table, partial(_delete, lake, table, f"{PARTITION} IN ({listed})"))


def _delete(lake: Lake, table: str, predicate: str) -> None:
    found = lake.open(table)
    if found is not None:
        found.delete(predicate)


def _remove(files: Files, one: Due, streams: Streams) -> int:
    began = time.monotonic()
    if one.kind == "ledger":
        Path(one.path).unlink(missing_ok=True)
        count = 1
    else:
        paths = [f.path for f in files.find(one.path) if f.path.endswith(".parquet")]
        files.remove(paths)
        count = len(paths)
    elapsed = round((time.monotonic() - began) * 1e3, 3)
    streams.write(LOG, path=one.path, bytes_deleted=one.size, files=count, elapsed_ms=elapsed)
    return count
