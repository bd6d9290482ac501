# SPDX-License-Identifier: Apache-2.0
"""An erasure between a batch's filter and its commit; tombstones in a store that fails."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from bls.errors import SkynetError
from pipelines_dagster.defs.gdpr.late import strike_late
from pipelines_dagster.defs.gdpr.subject import Kind, Subject
from pipelines_dagster.defs.gdpr.tombstones import SALT, TABLE, Tombstones, put
from pipelines_dagster.lake.lake import Lake

CLICKS = "bronze/click_logs"


def batch(*convs: str) -> pl.DataFrame:
    ids = [f"{conv}:r:a" for conv in convs]
    return pl.DataFrame({"conv_id": convs, "event_id": ids, "ts": 1.0, "dt": "2026-01-01"})


def test_what_slipped_in_goes_again(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    rows, seen = batch("c1", "c2"), Tombstones.load(lake)
    lake.append(CLICKS, rows)
    assert strike_late(lake, CLICKS, rows, seen) == 0
    put(lake, Subject(Kind.CONV, "c3"), keep_billing=False)
    assert strike_late(lake, CLICKS, rows, seen) == 0, "somebody else's erasure"
    put(lake, Subject(Kind.CONV, "c1"), keep_billing=False)
    assert strike_late(lake, CLICKS, rows, seen) == 1
    files = list((tmp_path / CLICKS).rglob("*.parquet"))
    assert [pl.read_parquet(file)["conv_id"].to_list() for file in files] == [["c2"]]
    assert strike_late(lake, CLICKS, rows, seen) == 0, "done again"
    assert strike_late(lake, CLICKS, rows, Tombstones.load(lake)) == 0


@pytest.mark.parametrize("table", [TABLE, SALT])
def test_a_store_that_fails_has_a_name(tmp_path: Path, table: str) -> None:
    lake = Lake(str(tmp_path))
    put(lake, Subject(Kind.CONV, "c1"), keep_billing=False)
    for file in (tmp_path / table).glob("*.parquet"):
        file.unlink()
    with pytest.raises(SkynetError) as caught:
        Tombstones.load(lake)
    assert caught.value.code == "lake_unavailable"
