# SPDX-License-Identifier: Apache-2.0
"""From a version of a silver table back to bronze versions, and from those to Kafka offsets."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from pipelines_dagster.defs.datasets.bronze import BY_TABLE
from pipelines_dagster.defs.datasets.recipe import Recipe
from pipelines_dagster.lake.lake import Lake

Range = dict[str, Any]
"""{"cluster": id, "partition": "0", "first": offset, "last": offset}, both included."""


def sources_of(lake: Lake, recipe: Recipe, version: int) -> dict[str, int]:
    """Versions of the sources that a version of a table was made from."""
    table = lake.open(recipe.table)
    if table is None:
        return {}
    table.load_as_version(version)
    found = {source.table: table.transaction_version(source.table) for source in recipe.sources}
    return {name: int(at) for name, at in found.items() if at is not None}


def versions_behind(
    lake: Lake, recipes: Mapping[str, Recipe], tables: Iterable[str], pinned: Mapping[str, int]
) -> dict[str, int]:
    """Versions of `tables` and of everything below them, down to bronze."""
    known: dict[str, int] = {}
    waiting = [(table, pinned[table]) for table in tables]
    while waiting:
        table, version = waiting.pop()
        known[table] = max(version, known.get(table, -1))
        if table in recipes:
            waiting += sources_of(lake, recipes[table], version).items()
    return dict(sorted(known.items()))


def offsets_of(lake: Lake, versions: Mapping[str, int]) -> dict[str, list[Range]]:
    """By topic, the offsets that bronze tables hold as of these versions.

    Ingest notes them on its commits as `cluster` and `ranges`, JSON by partition: the first offset
    and the next one. Commits that say nothing of it add nothing.
    """
    return {
        BY_TABLE[table]: _ranges(lake, table, version)
        for table, version in versions.items()
        if table in BY_TABLE
    }


def _ranges(lake: Lake, table: str, version: int) -> list[Range]:
    found = lake.open(table)
    commits = [] if found is None else found.history()
    spans: dict[tuple[str, str], tuple[int, int]] = {}
    for commit in commits:
        if commit.get("version", 0) > version or "ranges" not in commit:
            continue
        for partition, (first, last) in _included(commit["ranges"]).items():
            key = (str(commit.get("cluster", "")), partition)
            low, high = spans.get(key, (first, last))
            spans[key] = (min(low, first), max(high, last))
    return [
        {"cluster": cluster, "partition": partition, "first": low, "last": high}
        for (cluster, partition), (low, high) in sorted(spans.items())
    ]


def _included(text: Any) -> dict[str, tuple[int, int]]:
    """(first, last) by partition; nothing from a note in another form."""
    try:
        told = json.loads(text)
    except (TypeError, ValueError):
        return {}
    found = {}
    for partition, span in told.items() if isinstance(told, dict) else ():
        match span:
            case [int(first), int(after)] if first < after:
                found[str(partition)] = (first, after - 1)
    return found
