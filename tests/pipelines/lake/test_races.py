# SPDX-License-Identifier: Apache-2.0
"""A delete that another writer beats is done again; faults of a day's replacement have a name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest
from deltalake import DeltaTable
from deltalake.exceptions import CommitFailedError

from bls.errors import SkynetError
from bls.settings import Settings
from pipelines_dagster.defs.retention.plan import Due
from pipelines_dagster.defs.retention.run import collect
from pipelines_dagster.lake import partitions
from pipelines_dagster.lake.lake import Lake
from pipelines_dagster.lake.partitions import replace_days
from pipelines_dagster.lake.removal import delete_rows
from pipelines_dagster.settings import PipelineSettings

TABLE, DAY = "bronze/x", "2025-01-01"


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    made = Lake(str(tmp_path / "lake"))
    made.append(TABLE, pl.DataFrame({"a": [1, 2], "dt": [DAY, "2025-01-02"]}))
    return made


@pytest.fixture
def beaten(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The first delete loses its race."""
    real, calls = DeltaTable.delete, []

    def delete(self: DeltaTable, *given: Any, **named: Any) -> dict[str, Any]:
        calls.append(1)
        if len(calls) == 1:
            raise CommitFailedError("bronze/x was written by another")
        return real(self, *given, **named)

    monkeypatch.setattr(DeltaTable, "delete", delete)
    return calls


def test_rows_are_deleted_the_second_time(lake: Lake, beaten: list[int]) -> None:
    assert delete_rows(lake, TABLE, "a = 1").rows == 1
    assert len(beaten) == 2


def test_days_are_dropped_the_second_time(lake: Lake, beaten: list[int], tmp_path: Path) -> None:
    due = Due("partition", f"{TABLE}/dt={DAY}", TABLE, DAY, 1, 1)
    collect(PipelineSettings(Settings(state=tmp_path)), [due])
    assert lake.scan(TABLE).collect()["a"].to_list() == [2] and len(beaten) == 2


def test_a_replacement_that_lost_its_race_says_so(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    def beaten(*_: Any, **__: Any) -> None:
        raise CommitFailedError("s3://bucket/key")

    monkeypatch.setattr(partitions, "write_deltalake", beaten)
    with pytest.raises(SkynetError) as caught:
        replace_days(lake, TABLE, [DAY], pl.DataFrame({"a": [3], "dt": [DAY]}))
    assert caught.value.code == "lake_conflict"
