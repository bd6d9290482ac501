# SPDX-License-Identifier: Apache-2.0
"""Rows counted from the history of real Delta tables."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from bls.errors import SkynetError
from pipelines_dagster.defs.operations.new_rows import TABLES, Since, appended
from pipelines_dagster.defs.operations.plan import NEW_ROWS
from pipelines_dagster.lake.lake import Lake

DAY = 86_400.0


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path / "lake"))


def rows(count: int) -> pl.DataFrame:
    return pl.DataFrame({"n": range(count), "dt": ["2026-11-22"] * count})


def test_only_what_came_since_counts(lake: Lake) -> None:
    table = TABLES[0]
    assert appended(lake, table, -1) == (0, -1)
    lake.append(table, rows(5))
    assert appended(lake, table, -1) == (5, 1)
    lake.append(table, rows(3))
    lake.append(table, rows(2))
    assert appended(lake, table, 1) == (5, 3)
    assert appended(lake, table, 3) == (0, 3)


def test_rewriting_and_deleting_bring_nothing_new(lake: Lake) -> None:
    table = TABLES[0]
    lake.append(table, rows(5))
    lake.replace(table, rows(4))
    found = lake.open(table)
    assert found is not None
    found.delete("n = 1")
    found.optimize.compact()
    assert appended(lake, table, 1)[0] == 0


def test_a_table_made_anew_is_counted_from_its_beginning(lake: Lake) -> None:
    lake.append(TABLES[0], rows(5))
    assert appended(lake, TABLES[0], 7) == (5, 1)


def test_all_bronze_tables_count(lake: Lake) -> None:
    for table in TABLES:
        lake.append(table, rows(2))
    since = Since(0.0).counted(lake)
    assert since.rows == 2 * len(TABLES)
    assert since.counted(lake).rows == since.rows
    assert Since.of(since.text()) == since


def test_a_million_rows_or_some_after_a_day() -> None:
    assert Since(0.0, NEW_ROWS).why(1.0) is not None
    assert Since(0.0, NEW_ROWS - 1).why(DAY - 1) is None
    assert Since(0.0, 1).why(DAY) is not None
    assert Since(0.0, 0).why(10 * DAY) is None
    assert Since(0.0, 5).trained_at(DAY).why(DAY + 1) is None


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"trained": "x", "rows": 1, "versions": {}}'])
def test_a_bad_cursor_is_refused(text: str) -> None:
    with pytest.raises(SkynetError) as caught:
        Since.of(text)
    assert caught.value.code == "bad_cursor"
