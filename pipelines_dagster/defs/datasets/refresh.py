# SPDX-License-Identifier: Apache-2.0
"""Brings a silver table up to its sources: the days that changed are made again and replaced.

What was consumed is in the same commit as the rows, as the sources' versions. So a run without news
writes nothing, and a run that died before its commit is simply run again: its days replace
themselves. Rows that went from a source (a deletion) go from the table in the same way.
What was erased stays out, also where its source was kept.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import polars as pl

from pipelines_dagster.defs.datasets.engine import HERE, Engine
from pipelines_dagster.defs.datasets.recipe import Job, Recipe
from pipelines_dagster.defs.gdpr.tombstones import Tombstones
from pipelines_dagster.lake.lake import Lake
from pipelines_dagster.lake.partitions import changed_days, days_of, replace_days, version_of

BATCH_ROWS = 4_000_000
"""Rows held before they are committed."""
SOURCES = "sources"
"""Where a commit's history says what it was made from: JSON, version by table."""


@dataclass(frozen=True)
class Refreshed:
    """`version` of the table afterwards, None when there is none; `days` that were made again."""

    version: int | None
    days: tuple[str, ...]
    rows: int


def refresh(lake: Lake, recipe: Recipe, engine: Engine = HERE) -> Refreshed:
    """Make the table's changed days again. Raises as `Job` and `replace_days`."""
    found = {source.table: version_of(lake, source.table) for source in recipe.sources}
    now = {table: version for table, version in found.items() if version is not None}
    seen = {table: lake.progress_of(recipe.table, table) for table in now}
    if any(source.needed and source.table not in now for source in recipe.sources) or now == seen:
        return Refreshed(version_of(lake, recipe.table), (), 0)
    days = sorted(_stale(lake, recipe, now, seen))
    origin = {SOURCES: json.dumps(now, sort_keys=True)}
    version, rows = None, 0
    batches = _marked(_batches(days, engine.run(Job(lake, recipe, now), days)))
    for (names, made), last in batches:
        progress = now if last else None
        frame = Tombstones.load(lake).filter(recipe.table, made)
        version = replace_days(lake, recipe.table, names, frame, progress=progress, origin=origin)
        rows += frame.height
    return Refreshed(version, tuple(days), rows)


def _stale(
    lake: Lake, recipe: Recipe, now: dict[str, int], seen: dict[str, int | None]
) -> set[str]:
    """Days that news of the sources reach, of those that there are."""
    days: set[str] = set()
    for source in recipe.sources:
        if source.table in now:
            since, until = seen[source.table], now[source.table]
            if since != until:
                reach = {"back_s": source.back_s, "ahead_s": source.ahead_s}
                days |= changed_days(lake, source.table, since, until, **reach)
    return days & (days_of(lake, recipe.sources[0].table) | days_of(lake, recipe.table))


Batch = tuple[list[str], pl.DataFrame]


def _batches(days: Sequence[str], frames: Iterable[pl.DataFrame]) -> Iterator[Batch]:
    """Days and their rows together, about `BATCH_ROWS` of them at a time; at least one batch."""
    names: list[str] = []
    held: list[pl.DataFrame] = []
    for day, frame in zip(days, frames, strict=True):
        names.append(day)
        held.append(frame)
        if sum(map(len, held)) >= BATCH_ROWS:
            yield names, pl.concat(held)
            names, held = [], []
    if held:
        yield names, pl.concat(held)


def _marked(batches: Iterator[Batch]) -> Iterator[tuple[Batch, bool]]:
    """Each batch, and whether it is the last."""
    held = next(batches, None)
    for batch in batches:
        assert held is not None
        yield held, False
        held = batch
    if held is not None:
        yield held, True
