# SPDX-License-Identifier: Apache-2.0
"""Days of a table, replaced and compared."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from bls.errors import SkynetError
from pipelines_dagster.lake.lake import Lake
from pipelines_dagster.lake.partitions import (
    bounds,
    changed_days,
    days_between,
    days_of,
    replace_days,
    version_of,
)

TABLE = "silver/numbers"
ONE, TWO, THREE = "2025-01-01", "2025-01-02", "2025-01-03"


def numbers(day: str, *values: float) -> pl.DataFrame:
    low, _ = bounds(day)
    at = [low + value for value in values]
    return pl.DataFrame({"ts": at, "n": values, "dt": [day] * len(values)}, _COLUMNS)


_COLUMNS = {"ts": pl.Float64, "n": pl.Float64, "dt": pl.String}


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path))


def held(lake: Lake) -> dict[str, list[float]]:
    rows = lake.scan(TABLE).sort("ts").group_by("dt").agg("n").collect()
    return dict(rows.iter_rows())


@pytest.mark.spec("ORC-U-08")
def test_a_day_is_replaced_and_the_others_stay(lake: Lake, tmp_path: Path) -> None:
    replace_days(lake, TABLE, [ONE, TWO], pl.concat([numbers(ONE, 1), numbers(TWO, 2)]))
    version = replace_days(
        lake, TABLE, [TWO], numbers(TWO, 3, 4), progress={"source": 7}, origin={"why": "news"}
    )
    assert version == version_of(lake, TABLE) == 2  # 0 is the empty table
    assert held(lake) == {ONE: [1], TWO: [3, 4]}
    assert lake.progress_of(TABLE, "source") == 7
    table = lake.open(TABLE)
    assert table is not None and table.history(1)[0]["why"] == "news"
    assert {path.name for path in (tmp_path / TABLE).glob("dt=*")} == {f"dt={ONE}", f"dt={TWO}"}


def test_a_day_without_rows_is_emptied(lake: Lake) -> None:
    replace_days(lake, TABLE, [ONE, TWO], pl.concat([numbers(ONE, 1), numbers(TWO, 2)]))
    replace_days(lake, TABLE, [ONE], numbers(ONE), progress={"source": 1})
    assert held(lake) == {TWO: [2]} and lake.progress_of(TABLE, "source") == 1
    assert days_of(lake, TABLE) == {TWO}


def test_a_row_of_another_day_is_refused(lake: Lake) -> None:
    with pytest.raises(SkynetError) as refused:
        replace_days(lake, TABLE, [ONE], numbers(TWO, 1))
    assert refused.value.code == "wrong_day" and lake.open(TABLE) is None


@pytest.mark.spec("ORC-U-02")
def test_another_schema_is_refused(lake: Lake) -> None:
    replace_days(lake, TABLE, [ONE], numbers(ONE, 1))
    with pytest.raises(SkynetError) as refused:
        replace_days(lake, TABLE, [ONE], numbers(ONE, 1).drop("n"))
    assert refused.value.code == "schema_violation"


def test_changed_days_are_those_of_files_that_came_or_went(lake: Lake) -> None:
    replace_days(lake, TABLE, [ONE, TWO], pl.concat([numbers(ONE, 5), numbers(TWO, 5)]))
    replace_days(lake, TABLE, [TWO], numbers(TWO, 6))
    replace_days(lake, TABLE, [THREE], numbers(THREE, 10))
    assert changed_days(lake, TABLE, 1, 3) == {TWO, THREE}
    assert changed_days(lake, TABLE, 3, 3) == set()
    assert changed_days(lake, TABLE, 2, 3, back_s=11) == {TWO, THREE}
    assert changed_days(lake, TABLE, 2, 3, ahead_s=86_400) == {THREE, "2025-01-04"}
    assert changed_days(lake, TABLE, None, 3) == {ONE, TWO, THREE}


def test_a_version_that_is_not_there_takes_every_day(lake: Lake) -> None:
    """A table that was made anew is at a lower version than the one that was read."""
    replace_days(lake, TABLE, [ONE], numbers(ONE, 5))
    replace_days(lake, TABLE, [TWO], numbers(TWO, 5))
    assert changed_days(lake, TABLE, 9, 2) == {ONE, TWO}
    log = Path(lake.uri(TABLE)) / "_delta_log" / f"{0:020}.json"
    table = lake.open(TABLE)
    assert table is not None
    table.create_checkpoint()
    log.unlink()
    assert changed_days(lake, TABLE, 0, 2) == {ONE, TWO}


def test_a_table_that_is_not_there(lake: Lake) -> None:
    assert version_of(lake, TABLE) is None and days_of(lake, TABLE) == set()


def test_days_between_are_utc_and_whole() -> None:
    low, high = bounds(TWO)
    assert days_between(low - 1, high) == {ONE, TWO, THREE}
    assert days_between(low, low) == {TWO}
