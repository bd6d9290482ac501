# SPDX-License-Identifier: Apache-2.0
"""Days of a table replaced in one commit, and which days changed between two versions.

A table that is derived from others is built day by day: a day is the unit that is replaced, so a
crash and a repetition leave no row twice.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta

import polars as pl
from deltalake import CommitProperties, DeltaTable, Transaction, WriterProperties, write_deltalake
from deltalake.exceptions import DeltaError

from bls.errors import SkynetError
from pipelines_dagster.lake.evolution import check_additive
from pipelines_dagster.lake.faults import guarded
from pipelines_dagster.lake.lake import PARTITION, ZSTD, Lake

DAY_S = 86_400.0
_WRITER = WriterProperties(compression="ZSTD", compression_level=ZSTD)
_LOW, _HIGH = "min.ts", "max.ts"


def replace_days(
    lake: Lake,
    table: str,
    days: Collection[str],
    rows: pl.DataFrame,
    *,
    progress: Mapping[str, int] | None = None,
    origin: Mapping[str, str] | None = None,
) -> int:
    """Make `rows` all that the table has of these days; the version of the commit.

    Args:
        rows: may be empty, which leaves the days without rows; the other days are not touched.
        progress, origin: as in `Lake.append`.

    Raises:
        SkynetError: `schema_violation` as `Lake.append`, `wrong_day` for a row of another day,
            `lake_conflict` when another writer was first, `lake_unavailable`.
    """
    strange = set(rows[PARTITION].unique()) - set(days)
    if strange:
        raise SkynetError("wrong_day", f"A row of {table} is of a day that is not replaced.", 500)
    found = lake.open(table)
    if found is None:
        return lake.append(table, rows, progress=progress, origin=origin)
    listed = ", ".join(f"'{day}'" for day in sorted(days))
    with guarded(table):
        check_additive(table, pl.scan_delta(found).collect_schema(), rows.schema)
        write_deltalake(
            found,
            rows,
            mode="overwrite",
            predicate=f"{PARTITION} IN ({listed})",
            schema_mode="merge",
            writer_properties=_WRITER,
            commit_properties=CommitProperties(
                custom_metadata=dict(origin or {}),
                app_transactions=[Transaction(name, at) for name, at in (progress or {}).items()],
            ),
        )
    done = lake.open(table)
    assert done is not None
    return int(done.version())


def version_of(lake: Lake, table: str) -> int | None:
    """The table's version now; None before its first row."""
    found = lake.open(table)
    return None if found is None else int(found.version())


def days_of(lake: Lake, table: str, version: int | None = None) -> set[str]:
    """Days that the table has rows of."""
    return set(_files(lake, table, version)[f"partition.{PARTITION}"])


def changed_days(
    lake: Lake,
    table: str,
    since: int | None,
    until: int,
    *,
    back_s: float = 0.0,
    ahead_s: float = 0.0,
) -> set[str]:
    """Days that rows which came or went in between reach.

    Files that are in one of the two versions alone are what changed; their own statistics say from
    when to when. A row of time t reaches from `t - back_s` to `t + ahead_s`.

    Args:
        since: version known already; None, or one that is no longer there, takes every file.
    """
    after = _files(lake, table, until)
    before = after.clear()
    if since is not None and since <= until:
        try:
            before = _files(lake, table, since)
        except (DeltaError, OSError):
            before = after.clear()
    changed = pl.concat(
        [after.join(before, on="path", how="anti"), before.join(after, on="path", how="anti")]
    )
    days: set[str] = set()
    for day, low, high in changed.select(f"partition.{PARTITION}", _LOW, _HIGH).iter_rows():
        first = _seconds(day)
        last = first + DAY_S if high is None else high
        days |= days_between((first if low is None else low) - back_s, last + ahead_s)
    return days


def days_between(low: float, high: float) -> set[str]:
    """UTC days from one Unix second to another, both included."""
    day = datetime.fromtimestamp(low, UTC).date()
    last = datetime.fromtimestamp(high, UTC).date()
    return {(day + timedelta(days=n)).isoformat() for n in range((last - day).days + 1)}


def bounds(day: str) -> tuple[float, float]:
    """Unix seconds of the day's first moment and of the next day's."""
    first = _seconds(day)
    return first, first + DAY_S


def _seconds(day: str) -> float:
    return datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp()


def _files(lake: Lake, table: str, version: int | None) -> pl.DataFrame:
    """path, dt, and range of `ts` of every live file."""
    try:
        found = DeltaTable(lake.uri(table), version=version, storage_options=dict(lake.options))
    except DeltaError:
        if version is None and lake.open(table) is None:
            return pl.DataFrame(schema=_FILES)
        raise
    raw = pl.DataFrame(found.get_add_actions(flatten=True))
    for column in (_LOW, _HIGH):
        if column not in raw.columns:
            raw = raw.with_columns(pl.lit(None, pl.Float64).alias(column))
    return raw.select(list(_FILES)).cast(pl.Schema(_FILES))


_FILES: dict[str, type[pl.DataType]] = {
    "path": pl.String,
    f"partition.{PARTITION}": pl.String,
    _LOW: pl.Float64,
    _HIGH: pl.Float64,
}
