# SPDX-License-Identifier: Apache-2.0
"""Rows that must be gone for good: out of the table, its old files, and its log's own memory.

A Delta delete leaves the old file for time travel, and the log goes on naming what was in it: the
least and greatest value of every column of every file, and the predicate of the delete itself. So
old files are removed and the log is cleaned; then every file that is left is read to prove it.
"""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import polars as pl
from deltalake import DeltaTable, WriterProperties, write_deltalake
from deltalake.exceptions import CommitFailedError

from bls.errors import SkynetError
from pipelines_dagster.lake.faults import insist
from pipelines_dagster.lake.files import Files, Found, open_files
from pipelines_dagster.lake.lake import PARTITION, ZSTD, Lake

_WRITER = WriterProperties(compression="ZSTD", compression_level=ZSTD)
_TRIES = 8
_LOG = "_delta_log"
ORPHAN_S = 3_600.0
"""Age from which a file that no commit names is taken for one that a crash left."""

Condition = Callable[[pl.Schema], pl.Expr | None]
"""What of a file with these columns is wanted; None: nothing in it can be."""


@dataclass(frozen=True)
class Removed:
    """What a step did to one table."""

    rows: int = 0
    files: int = 0
    before: int = -1
    after: int = -1


def tables_of(lake: Lake) -> list[str]:
    """Every table of the lake, as `layer/name`."""
    mark = f"/{_LOG}/"
    found = {
        file.path.partition(mark)[0]
        for layer in ("bronze", "silver", "ops", "gold")
        for file in open_files(lake).find(layer)
        if mark in file.path
    }
    return sorted(found)


def delete_rows(lake: Lake, table: str, predicate: str) -> Removed:
    """Delete what an SQL predicate is true of, in one commit; again after a lost race.

    Raises `no_table`, `lake_conflict` where others are first all the time, `lake_unavailable`.
    """

    def step() -> Removed:
        found = _open(lake, table)
        before = int(found.version())
        told = found.delete(predicate, writer_properties=_WRITER)
        rows, files = int(told["num_deleted_rows"]), int(told["num_removed_files"])
        return Removed(rows, files, before, int(found.version()))

    return insist(table, step)


def rewrite_rows(lake: Lake, table: str, wanted: pl.Expr, change: list[pl.Expr]) -> Removed:
    """Change rows that are `wanted`, a day at a time; a writer in between makes it try again."""
    found = _open(lake, table)
    before, rows, files = int(found.version()), 0, 0
    frame = pl.scan_delta(found)
    days = [None]
    if PARTITION in frame.collect_schema():
        days = frame.filter(wanted).select(PARTITION).unique().collect()[PARTITION].to_list()
    for day in days:
        count = _rewrite_day(lake, table, day, wanted, change)
        rows += count
        files += count > 0
    return Removed(rows, files, before, int(_open(lake, table).version()))


def _rewrite_day(
    lake: Lake, table: str, day: str | None, wanted: pl.Expr, change: list[pl.Expr]
) -> int:
    for _ in range(_TRIES):
        found = _open(lake, table)
        frame = pl.scan_delta(found)
        rows = (frame if day is None else frame.filter(pl.col(PARTITION) == day)).collect()
        count = rows.select(wanted.sum()).item() or 0
        if not count:
            return 0
        hit = pl.when(wanted)
        keep = [hit.then(new).otherwise(pl.col(name)).alias(name) for name, new in _named(change)]
        try:
            write_deltalake(
                found,
                rows.with_columns(keep),
                mode="overwrite",
                predicate=None if day is None else f"{PARTITION} = '{day}'",
                writer_properties=_WRITER,
            )
        except CommitFailedError:
            time.sleep(0.05)
        else:
            return int(count)
    raise SkynetError("table_busy", f"{table} is being written all the time; try again.", 503)


def _named(change: list[pl.Expr]) -> Iterator[tuple[str, pl.Expr]]:
    for one in change:
        yield one.meta.output_name(), one


def forget_files(lake: Lake, table: str) -> int:
    """Remove every file that only old versions name; how many.

    A file that no version names is left alone: a writer may be about to commit it.
    """
    found = _open(lake, table)
    gone = found.vacuum(retention_hours=0, dry_run=False, enforce_retention_duration=False)
    return len(gone)


def clean_log(lake: Lake, table: str) -> int:
    """Take the texts out of what the log says of removed files; how many log files changed.

    Numbers stay (the range of `ts` says which days a commit touched), and so does everything that
    a writer noted of its commit. Checkpoints from before are made anew.
    """
    files = open_files(lake)
    active = _active(lake, table)
    changed = 0
    old = []
    for file in list(files.find(f"{table}/{_LOG}")):
        if file.path.endswith(".checkpoint.parquet"):
            old.append(file.path)
        elif file.path.endswith(".json"):
            text = files.read(file.path)
            clean = b"\n".join(_clean(line, active) for line in text.split(b"\n"))
            if clean != text:
                files.write(file.path, clean)
                changed += 1
    if old and changed:
        found = _open(lake, table)
        found.create_checkpoint()
        newest = f"{table}/{_LOG}/{int(found.version()):020d}.checkpoint.parquet"
        files.remove(path for path in old if path != newest)
    return changed


def _clean(line: bytes, active: set[str]) -> bytes:
    if not line.strip():
        return line
    action = json.loads(line)
    told = action.get("commitInfo", {}).get("operationParameters", {})
    add = action.get("add")
    touched = False
    if told.get("predicate", "").strip() and not told["predicate"].startswith(f"{PARTITION} "):
        told["predicate"] = "erased"
        touched = True
    if add is not None and add["path"] not in active and add.get("stats"):
        stats = json.loads(add["stats"])
        for name in ("minValues", "maxValues"):
            numbers = _without_texts(stats.get(name, {}))
            touched |= numbers != stats.get(name, {})
            stats[name] = numbers
        add["stats"] = json.dumps(stats)
    return json.dumps(action, separators=(",", ":")).encode() if touched else line


def _without_texts(values: dict[str, Any]) -> dict[str, Any]:
    kept = {}
    for name, value in values.items():
        if isinstance(value, dict):
            kept[name] = _without_texts(value)
        elif not isinstance(value, str):
            kept[name] = value
    return kept


@dataclass(frozen=True)
class Proof:
    """Rows found in the files of a table that are left.

    Attributes:
        rows: in files that the table has.
        stray: in files that no version names and that are young: a writer may commit them.
        removed: files that a crash had left and that held such rows; they are gone now.
    """

    files: int = 0
    rows: int = 0
    stray: int = 0
    removed: int = 0


def prove(lake: Lake, folder: str, condition: Condition, now: float | None = None) -> Proof:
    """Read every Parquet file below a folder of the lake, whether or not its table knows it."""
    files, active = open_files(lake), _active(lake, folder)
    seen = rows = stray = 0
    orphans = []
    for file in list(files.find(folder)):
        if not _is_data(file, folder):
            continue
        seen += 1
        count = _count(files, file.path, condition)
        if count and file.path.removeprefix(f"{folder}/") in active:
            rows += count
        elif count and (now or time.time()) - file.changed > ORPHAN_S:
            orphans.append(file.path)
        else:
            stray += count
    files.remove(orphans)
    return Proof(seen, rows, stray, len(orphans))


def _is_data(file: Found, folder: str) -> bool:
    return file.path.endswith(".parquet") and f"{folder}/{_LOG}/" not in file.path


def _count(files: Files, path: str, condition: Condition) -> int:
    """Rows of one file; 0 for one that is not whole: a crash left it before its footer."""
    try:
        content = io.BytesIO(files.read(path))
        schema = pl.Schema(pl.read_parquet_schema(content))
        wanted = condition(schema)
        if wanted is None:
            return 0
        names = sorted(set(wanted.meta.root_names()))
        return pl.read_parquet(content, columns=names).filter(wanted).height
    except (FileNotFoundError, pl.exceptions.ComputeError):
        return 0


def _active(lake: Lake, table: str) -> set[str]:
    found = lake.open(table)
    return set() if found is None else set(pl.DataFrame(found.get_add_actions())["path"])


def _open(lake: Lake, table: str) -> DeltaTable:
    found = lake.open(table)
    if found is None:
        raise SkynetError("no_table", f"The lake has no table {table}.", 404)
    return found
