# SPDX-License-Identifier: Apache-2.0
"""Commits: atomic, additive, in order of progress, with an origin."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest
from deltalake import DeltaTable

from bls.errors import SkynetError
from pipelines_dagster.lake.lake import Lake
from tests.pipelines.lake.rows import rows

TABLE = "bronze/things"


def test_rows_come_back_now_and_as_of_a_version(lake: Lake) -> None:
    first = lake.append(TABLE, rows(0))
    second = lake.append(TABLE, rows(4))
    assert second == first + 1
    assert lake.scan(TABLE).sort("seq").collect().equals(rows(0, 8))
    assert lake.scan(TABLE, first).sort("seq").collect().equals(rows(0))
    with pytest.raises(SkynetError) as refused:
        lake.scan(TABLE, second + 1)
    assert refused.value.code == "no_version"


def test_replace_leaves_only_the_new_rows(lake: Lake) -> None:
    lake.append(TABLE, rows(0))
    lake.replace(TABLE, rows(4), origin={"made": "again"})
    assert lake.scan(TABLE).sort("seq").collect().equals(rows(4))
    assert lake.origins(TABLE)[-1].origin == {"made": "again"}


def test_a_table_that_is_not_there(lake: Lake) -> None:
    assert lake.open(TABLE) is None
    assert lake.progress_of(TABLE, "reader") is None
    for ask in (lake.scan, lake.origins, lake.compact, lake.vacuum):
        with pytest.raises(SkynetError) as refused:
            ask(TABLE)
        assert refused.value.code == "no_table"


def test_create_makes_an_empty_table_once(lake: Lake) -> None:
    for _ in range(2):
        lake.create(TABLE, rows(0).schema)
    assert lake.scan(TABLE).collect().height == 0
    lake.append(TABLE, rows(0))
    assert lake.scan(TABLE).collect().height == 4


def test_progress_is_of_the_commit_and_survives_checkpoints(lake: Lake) -> None:
    for at in range(1, 13):
        lake.append(TABLE, rows(at, 1), progress={"reader": at, f"other/{at}": at})
    found = lake.open(TABLE)
    assert found is not None
    found.create_checkpoint()
    lake.compact(TABLE)
    names = ["reader", "other/1", "other/12", "nobody"]
    assert list(lake.progress(TABLE, names).values()) == [12, 1, 12, None]


def test_a_commit_made_for_old_progress_is_refused(lake: Lake) -> None:
    lake.append(TABLE, rows(0), progress={"reader": 4}, after={"reader": None})
    with pytest.raises(SkynetError) as refused:
        lake.append(TABLE, rows(0), progress={"reader": 4}, after={"reader": None})
    assert refused.value.code == "progress_moved"
    assert lake.scan(TABLE).collect().height == 4


def test_the_log_refuses_the_second_of_two_that_passed_the_check(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other writer commits between our look at the table and our commit."""
    lake.append(TABLE, rows(0), progress={"reader": 4})
    late = Lake(lake.root)
    looked = Lake._writable

    def look(self: Lake, table: str, frame: pl.DataFrame) -> DeltaTable:
        found = looked(self, table, frame)
        if self is late:
            lake.append(TABLE, rows(4), progress={"reader": 8}, after={"reader": 4})
        return found

    monkeypatch.setattr(Lake, "_writable", look)
    with pytest.raises(SkynetError) as refused:
        late.append(TABLE, rows(4), progress={"reader": 8}, after={"reader": 4})
    assert refused.value.code == "progress_moved"
    assert lake.scan(TABLE).collect().height == 8


def test_writers_of_other_progress_do_not_hinder_each_other(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake.append(TABLE, rows(0), progress={"a": 1})
    late = Lake(lake.root)
    looked = Lake._writable

    def look(self: Lake, table: str, frame: pl.DataFrame) -> DeltaTable:
        found = looked(self, table, frame)
        if self is late:
            lake.append(TABLE, rows(4), progress={"a": 2})
        return found

    monkeypatch.setattr(Lake, "_writable", look)
    late.append(TABLE, rows(8), progress={"b": 1}, after={"b": None})
    assert lake.progress(TABLE, ["a", "b"]) == {"a": 2, "b": 1}
    assert lake.scan(TABLE).collect().height == 12


@pytest.mark.spec("ORC-U-02")
@pytest.mark.parametrize("append", [True, False])
def test_a_column_may_come_but_neither_go_nor_change(lake: Lake, append: bool) -> None:
    lake.append(TABLE, rows(0))
    write = lake.append if append else lake.replace
    for wrong in (rows(4).drop("raw"), rows(4).with_columns(pl.col("seq").cast(pl.String))):
        with pytest.raises(SkynetError) as refused:
            write(TABLE, wrong)
        assert refused.value.code == "schema_violation"
    write(TABLE, rows(4).with_columns(pl.lit(1.5).alias("new")))
    found = lake.scan(TABLE).sort("seq").collect()
    assert found["new"].to_list() == [None] * 4 * append + [1.5] * 4


@pytest.mark.spec("ORC-U-08")
def test_partitions_are_days(lake: Lake) -> None:
    lake.append(TABLE, rows(0))
    folders = {path.parent.name for path in Path(lake.uri(TABLE)).rglob("dt=*/*.parquet")}
    assert folders == {"dt=2026-11-18", "dt=2026-11-19"}
    for wrong in ("2026-1-1", "2026-13-01", "20261118", "", "2026-11-18/../x", None):
        with pytest.raises(SkynetError) as refused:
            lake.append(TABLE, rows(4).with_columns(pl.lit(wrong, pl.String).alias("dt")))
        assert refused.value.code == "bad_partition"


def test_files_are_zstd_and_the_log_names_no_person(lake: Lake) -> None:
    lake.append(TABLE, rows(0))
    log = "\n".join(p.read_text() for p in Path(lake.uri(TABLE), "_delta_log").glob("*.json"))
    assert "conversation-" not in log
    added = [json.loads(line)["add"] for line in log.splitlines() if '"add"' in line]
    assert all(found["path"].endswith(".zstd.parquet") for found in added)
    assert all("seq" in json.loads(found["stats"])["maxValues"] for found in added)


def test_origins_are_remembered_in_order(lake: Lake) -> None:
    for name in ("a", "b"):
        lake.append(TABLE, rows(0), origin={"topic": name})
    found = lake.origins(TABLE)
    assert [commit.version for commit in found] == [0, 1, 2]
    assert [commit.origin.get("topic") for commit in found] == [None, "a", "b"]
    assert found[1].operation == "WRITE"
    assert found[1].at > 0
    assert lake.origins(TABLE, 2) == found[1:]
