# SPDX-License-Identifier: Apache-2.0
"""New click pairs start a training of adapters, once for each 10,000."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from bls.errors import SkynetError
from pipelines_dagster.defs.operations import click_pairs_sensor
from pipelines_dagster.defs.operations.click_pairs_sensor import TABLE, new_click_pairs, rows_of
from pipelines_dagster.lake.lake import Lake
from pipelines_dagster.resources import Pipelines


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    monkeypatch.setenv("SKYNET_STATE", str(tmp_path))
    monkeypatch.setattr(click_pairs_sensor, "NEW_PAIRS", 100)
    return Pipelines().lake()


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as made:
        yield made


def tick(instance: dg.DagsterInstance, cursor: str | None) -> tuple[list[dg.RunRequest], str]:
    with dg.build_sensor_context(instance=instance, cursor=cursor) as context:
        answer = new_click_pairs(context, pipelines=Pipelines())
    assert isinstance(answer, dg.SensorResult) and answer.cursor is not None
    return list(answer.run_requests or []), answer.cursor


def test_so_many_new_pairs_start_one_training(lake: Lake, instance: dg.DagsterInstance) -> None:
    cursor = None
    for count, expected in ((0, 0), (60, 0), (60, 1), (0, 0), (99, 0), (1, 1)):
        if count:
            lake.append(TABLE, pl.DataFrame({"n": range(count), "dt": ["2026-11-22"] * count}))
        asked, cursor = tick(instance, cursor)
        assert len(asked) == expected, count
    assert rows_of(cursor) == 220


def test_a_cursor_that_is_none(lake: Lake, instance: dg.DagsterInstance) -> None:
    with pytest.raises(SkynetError, match="cursor"):
        rows_of("{}")
    assert rows_of(None) == 0
