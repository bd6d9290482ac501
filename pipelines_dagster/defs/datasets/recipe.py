# SPDX-License-Identifier: Apache-2.0
"""A silver table as a recipe: what it is made from, and the function that makes one day of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import polars as pl

from bls.errors import SkynetError
from bls.limits import LIMITS
from pipelines_dagster.defs.datasets.bronze import nothing
from pipelines_dagster.defs.market.schema import Columns
from pipelines_dagster.lake.lake import PARTITION, Lake
from pipelines_dagster.lake.partitions import bounds, days_between

REPLY_S = 2 * LIMITS.deadline_ms / 1e3
"""No two records of one reply are further apart."""

Frames = Mapping[str, pl.LazyFrame]
"""Rows of every source, by its name, that reach the day in hand."""
Build = Callable[[Frames, str], pl.DataFrame]


@dataclass(frozen=True)
class Source:
    """A table rows are made from.

    Attributes:
        back_s, ahead_s: a row of time t matters to rows from t - back_s to t + ahead_s.
        needed: nothing can be made before it exists.
    """

    table: str
    back_s: float = 0.0
    ahead_s: float = 0.0
    needed: bool = True


@dataclass(frozen=True)
class Recipe:
    """`build(frames, day)` gives the rows of one day; the first source says which days there are.

    Attributes:
        key: what is unique in the table.
        about: one line for people.
    """

    table: str
    sources: tuple[Source, ...]
    columns: Columns
    key: tuple[str, ...]
    build: Build
    about: str


@dataclass(frozen=True)
class Job:
    """One day of one table, from sources at fixed versions: runs anywhere, always the same rows.

    Attributes:
        versions: of the sources; one that does not exist yet is not named.
    """

    lake: Lake
    recipe: Recipe
    versions: Mapping[str, int]

    def __call__(self, day: str) -> pl.DataFrame:
        """The day's rows in the order of their key. Raises `silver_schema`, `duplicate_rows`."""
        recipe = self.recipe
        frames = {source.table: self._read(source, day) for source in recipe.sources}
        rows = recipe.build(frames, day).filter(pl.col(PARTITION) == day)
        missing = recipe.columns.keys() - set(rows.columns)
        if missing:
            fault = f"{recipe.table} lacks {', '.join(sorted(missing))}."
            raise SkynetError("silver_schema", fault, 500)
        rows = rows.select(list(recipe.columns)).cast(pl.Schema(recipe.columns)).sort(recipe.key)
        again = pl.all_horizontal(pl.col(name) == pl.col(name).shift() for name in recipe.key)
        if rows.select(again.any()).item():
            raise SkynetError("duplicate_rows", f"{recipe.table} would have a row twice.", 500)
        return rows

    def _read(self, source: Source, day: str) -> pl.LazyFrame:
        if source.table not in self.versions:
            return nothing(source.table).lazy()
        low, high = bounds(day)
        low, high = low - source.ahead_s, high + source.back_s
        rows = self.lake.scan(source.table, self.versions[source.table])
        return rows.filter(
            pl.col(PARTITION).is_in(sorted(days_between(low, high))),
            pl.col("ts").is_between(low, high, closed="left"),
        )
