# SPDX-License-Identifier: Apache-2.0
"""The sensor on a real instance and a real lake."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from bls.models.model_key import ModelKey, model_key
from pipelines_dagster.defs.gdpr.models import TABLE as INVALIDATIONS
from pipelines_dagster.defs.operations import new_rows
from pipelines_dagster.defs.operations.jobs import POOL
from pipelines_dagster.defs.operations.new_rows import TABLES, Since
from pipelines_dagster.defs.operations.training_sensor import new_rows_or_a_day
from pipelines_dagster.defs.promotion.keys import open_keys
from pipelines_dagster.lake.lake import Lake
from pipelines_dagster.resources import Pipelines

DAY = 86_400.0


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    monkeypatch.setenv("SKYNET_STATE", str(tmp_path))
    monkeypatch.setattr(new_rows, "NEW_ROWS", 100)
    return Pipelines().lake()


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as made:
        yield made


def grow(lake: Lake, count: int) -> None:
    lake.append(TABLES[0], pl.DataFrame({"n": range(count), "dt": ["2026-11-22"] * count}))


class Ticks:
    """The sensor, its cursor carried from tick to tick as the daemon does."""

    def __init__(self, instance: dg.DagsterInstance, cursor: str | None = None) -> None:
        self.instance, self.cursor = instance, cursor

    def tick(self) -> list[dg.RunRequest]:
        with dg.build_sensor_context(instance=self.instance, cursor=self.cursor) as context:
            answer = new_rows_or_a_day(context, pipelines=Pipelines())
        assert isinstance(answer, dg.SensorResult)
        assert answer.cursor is not None
        self.cursor = answer.cursor
        return list(answer.run_requests or [])


def test_starts_once_for_so_many_rows(lake: Lake, instance: dg.DagsterInstance) -> None:
    ticks = Ticks(instance)
    assert ticks.tick() == []
    grow(lake, 60)
    assert ticks.tick() == []
    grow(lake, 60)
    (asked,) = ticks.tick()
    assert asked.tags["why"] == "120 new rows"
    assert ticks.tick() == []


def test_a_day_after_the_last_training(lake: Lake, instance: dg.DagsterInstance) -> None:
    grow(lake, 1)
    ticks = Ticks(instance, Since(time.time() - DAY).text())
    assert len(ticks.tick()) == 1


def test_another_jobs_training_starts_the_count_anew(
    lake: Lake, instance: dg.DagsterInstance
) -> None:
    grow(lake, 1)
    instance.report_runless_asset_event(dg.AssetMaterialization(["models", "predictor"]))
    ticks = Ticks(instance, Since(time.time() - DAY, 99).text())
    assert ticks.tick() == []
    assert ticks.cursor is not None
    assert Since.of(ticks.cursor).rows == 0


def test_waits_while_a_training_is_under_way(lake: Lake, instance: dg.DagsterInstance) -> None:
    instance.add_run(
        dg.DagsterRun("nightly", status=dg.DagsterRunStatus.STARTED, tags={POOL: "training"})
    )
    grow(lake, 500)
    ticks = Ticks(instance)
    assert ticks.tick() == []
    assert ticks.cursor is not None
    assert Since.of(ticks.cursor).rows == 500


def test_a_live_version_that_must_forget_is_trained_anew(
    lake: Lake, instance: dg.DagsterInstance
) -> None:
    def mark(version: str) -> None:
        row = {"subsystem": "pred", "version": version, "at": time.time()}
        lake.append(INVALIDATIONS, pl.DataFrame([row]))

    key = ModelKey("pred_live", "file:///m", "ab" * 32, 1.0)
    open_keys(Pipelines().settings()).put(model_key("pred"), key.value())
    ticks = Ticks(instance, Since(time.time() - 60).text())
    mark("pred_old")
    assert ticks.tick() == []
    mark("pred_live")
    (asked,) = ticks.tick()
    assert asked.tags["why"] == "pred_live learned from what was erased"
    assert ticks.tick() == [], "the training that was asked for is waited for"
    ticks = Ticks(instance, Since(time.time() - DAY).text())
    assert len(ticks.tick()) == 1, "once a day until another is live"
