# SPDX-License-Identifier: Apache-2.0
"""Keeping a table small, and getting rows out of it for good."""

from __future__ import annotations

import os
import time
from datetime import date
from pathlib import Path

import polars as pl
import pytest
from deltalake import DeltaTable

from bls.errors import SkynetError
from pipelines_dagster.lake import erase
from pipelines_dagster.lake.content import content_sha256, in_order
from pipelines_dagster.lake.faults import insist
from pipelines_dagster.lake.lake import Lake
from tests.pipelines.lake.rows import rows

TABLE = "bronze/things"
HIM = "conv_id = 'conversation-3'"


def _files(lake: Lake) -> list[Path]:
    return sorted(Path(lake.uri(TABLE)).glob("dt=*/*.parquet"))


@pytest.fixture
def filled(lake: Lake) -> Lake:
    """Eight rows in four commits over two days."""
    for at in range(0, 8, 2):
        lake.append(TABLE, rows(at, 2), progress={"reader": at})
    return lake


def test_compaction_leaves_one_file_a_day_and_the_same_rows(filled: Lake) -> None:
    before = content_sha256(in_order(filled.scan(TABLE).collect()))
    done = filled.compact(TABLE, date(2026, 11, 18))
    assert (done.removed, done.added) == (4, 1)
    assert filled.compact(TABLE).removed == 4
    assert filled.compact(TABLE).removed == 0
    assert content_sha256(in_order(filled.scan(TABLE).collect())) == before
    assert filled.progress_of(TABLE, "reader") == 6


def test_vacuum_keeps_what_old_versions_need_until_their_time(filled: Lake) -> None:
    filled.compact(TABLE)
    assert filled.vacuum(TABLE).files == []
    assert len(_files(filled)) == 10
    assert len(filled.vacuum(TABLE, 0).files) == 8
    assert len(_files(filled)) == 2


def test_vacuum_takes_orphans_only_when_no_commit_can_still_want_them(filled: Lake) -> None:
    young, old = (_files(filled)[0].with_name(f"part-{age}.parquet") for age in ("young", "old"))
    for path in (young, old):
        path.write_bytes(_files(filled)[0].read_bytes())
    os.utime(old, (time.time() - 7200,) * 2)
    done = filled.vacuum(TABLE, 0)
    assert [Path(name).name for name in done.orphans] == ["part-old.parquet"]
    assert young.exists()
    assert not old.exists()


@pytest.mark.spec("ORC-C-06")
def test_days_past_their_time_leave_without_being_read(filled: Lake) -> None:
    for path in _files(filled):
        if "dt=2026-11-18" in str(path):
            path.write_bytes(b"unreadable")
    assert filled.drop_partitions(TABLE, date(2026, 11, 18)) == []
    assert filled.drop_partitions(TABLE, date(2026, 11, 19)) == ["2026-11-18"]
    assert filled.scan(TABLE).collect()["dt"].unique().to_list() == ["2026-11-19"]
    assert len(filled.vacuum(TABLE, 0).files) == 4
    assert {path.parent.name for path in _files(filled)} == {"dt=2026-11-19"}


def test_deleted_rows_are_gone_from_every_file_after_vacuum(filled: Lake) -> None:
    assert filled.delete(TABLE, HIM) == 1
    assert filled.scan(TABLE).filter(pl.sql_expr(HIM)).collect().height == 0
    assert filled.scan(TABLE).collect().height == 7
    assert len(filled.residue(TABLE, HIM)) == 1
    filled.vacuum(TABLE, 0)
    assert filled.residue(TABLE, HIM) == []
    everything = b"".join(p.read_bytes() for p in Path(filled.root).rglob("*") if p.is_file())
    assert b"conversation-3" not in everything
    assert filled.progress_of(TABLE, "reader") == 6


def test_deleting_nobody_makes_no_commit(filled: Lake) -> None:
    version = filled.origins(TABLE)[-1].version
    assert filled.delete(TABLE, "conv_id = 'nobody'") == 0
    assert filled.origins(TABLE)[-1].version == version


def test_every_row_of_a_day_and_rows_of_many_days(filled: Lake) -> None:
    assert filled.delete(TABLE, "seq % 2 = 0 or seq = 1") == 5
    assert filled.scan(TABLE).sort("seq").collect()["seq"].to_list() == [3, 5, 7]


def test_rows_where_the_predicate_is_null_stay(lake: Lake) -> None:
    lake.append(TABLE, rows(0).with_columns(pl.lit(None, pl.String).alias("note")))
    assert lake.delete(TABLE, "note = 'x'") == 0
    assert lake.scan(TABLE).collect().height == 4


def test_residue_reads_files_of_older_schemas_and_orphans(filled: Lake) -> None:
    filled.append(TABLE, rows(8).with_columns(pl.lit("x").alias("note")))
    orphan = _files(filled)[0].with_name("part-orphan.parquet")
    filled.scan(TABLE).filter(pl.col("seq") == 3).drop("dt").collect().write_parquet(orphan)
    filled.delete(TABLE, HIM)
    filled.vacuum(TABLE, 0)
    assert filled.residue(TABLE, HIM) == [str(orphan)]
    assert len(filled.residue(TABLE, "note = 'x'")) == 2


def test_a_table_without_days_is_rewritten_whole(lake: Lake) -> None:
    lake.append("ops/things", rows(0).drop("dt"))
    assert lake.delete("ops/things", "seq >= 2") == 2
    lake.vacuum("ops/things", 0)
    assert lake.residue("ops/things", "seq >= 2") == []
    assert lake.scan("ops/things").collect()["seq"].sort().to_list() == [0, 1]


def test_an_append_during_a_delete_is_kept(filled: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    other, raced = Lake(filled.root), []

    def rewrite(table: DeltaTable, day: str | None, predicate: str) -> int:
        if not raced:
            raced.append(day)
            other.append(TABLE, rows(8))
        return _rewrite(table, day, predicate)

    _rewrite = erase.rewrite
    monkeypatch.setattr(erase, "rewrite", rewrite)
    assert filled.delete(TABLE, HIM) == 1
    assert filled.scan(TABLE).collect()["seq"].sort().to_list() == [
        0,
        1,
        2,
        4,
        5,
        6,
        7,
        8,
        9,
        10,
        11,
    ]


def test_a_race_that_is_always_lost_is_an_error() -> None:
    tries = []

    def lose() -> None:
        tries.append(1)
        raise SkynetError("lake_conflict", "lost", 409)

    with pytest.raises(SkynetError) as refused:
        insist(TABLE, lose, attempts=3)
    assert (refused.value.code, len(tries)) == ("lake_conflict", 3)
