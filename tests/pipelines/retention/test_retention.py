# SPDX-License-Identifier: Apache-2.0
"""What is too old goes, nothing else does; a crash leaves nothing behind for good."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import dagster as dg
import numpy as np
import polars as pl
import pytest

from bls.events.topics import TOPICS
from bls.settings import Settings
from bls.settlement.erasure import seal_active
from bls.settlement.recompute import settle
from bls.settlement.record import BIDS, STREAMS
from bls.settlement.segments import files as ledger_files
from bls.settlement.segments import sealed
from pipelines_dagster.defs.operations.jobs import JOBS
from pipelines_dagster.defs.operations.plan import RETENTION
from pipelines_dagster.defs.retention.definitions import DEFS
from pipelines_dagster.defs.retention.plan import due_partitions
from pipelines_dagster.defs.retention.run import LOG, PLAN_LOG, collect, plan, taken_segments
from pipelines_dagster.defs.retention.ttl import TTL_DAYS, ttl_of
from pipelines_dagster.lake.files import FolderFiles, open_files
from pipelines_dagster.resources import Pipelines
from pipelines_dagster.settings import PipelineSettings
from tests.pipelines.gdpr.world import record

TODAY = date(2026, 11, 22)


@pytest.fixture
def settings(tmp_path: Path) -> PipelineSettings:
    return PipelineSettings(Settings(state=tmp_path))


def day(age: int) -> str:
    return (TODAY - timedelta(days=age)).isoformat()


def rows(settings: PipelineSettings, table: str, ages: list[int]) -> None:
    frame = pl.DataFrame({"a": ages, "dt": [day(age) for age in ages]})
    settings.open_lake().append(table, frame)


@pytest.mark.spec("ORC-U-04")
@pytest.mark.parametrize("table", ["bronze/auction_bids", "bronze/mro_select", "silver/bids"])
def test_of_400_days_those_past_their_time_are_listed(tmp_path: Path, table: str) -> None:
    for age in range(400):
        folder = tmp_path / table / f"dt={day(age)}"
        folder.mkdir(parents=True)
        (folder / "part-0.zstd.parquet").write_bytes(b"x" * 10)
    due = due_partitions(FolderFiles(tmp_path), TODAY)
    keep = ttl_of(table)
    assert keep is not None and len(due) == 399 - keep > 0
    assert all(one.day < day(keep) and one.size == 10 and one.files == 1 for one in due)
    assert [one.day for one in due] == sorted(one.day for one in due)
    assert due[-1].path == f"{table}/dt={day(keep + 1)}", "the day of the limit itself stays"


def test_every_topic_has_its_time() -> None:
    for topic in TOPICS.values():
        assert 30 <= TTL_DAYS[f"bronze/{topic.table}"] <= 180
    assert ttl_of("bronze/auction_vcg") == 180 and ttl_of("bronze/mro_select") == 30
    assert ttl_of("gold/tve_dataset") == ttl_of("silver/new_one") == 90
    assert ttl_of("bronze/new_one") == 30 and ttl_of("ops/gdpr_audit") is None


def test_old_days_go_and_young_rows_stay(settings: PipelineSettings) -> None:
    rows(settings, "bronze/auction_bids", [1, 180, 181, 300])
    rows(settings, "bronze/mro_select", [1, 31])
    rows(settings, "ops/promotions", [900])
    done = collect(settings, plan(settings, TODAY))
    assert [one.path for one in done.due] == [
        f"bronze/auction_bids/dt={day(300)}",
        f"bronze/auction_bids/dt={day(181)}",
        f"bronze/mro_select/dt={day(31)}",
    ]
    lake = settings.open_lake()
    assert sorted(lake.scan("bronze/auction_bids").collect()["a"]) == [1, 180]
    assert lake.scan("bronze/mro_select").collect()["a"].to_list() == [1]
    assert lake.scan("ops/promotions").collect()["a"].to_list() == [900]
    left = [one.path for one in open_files(lake).find("bronze") if one.path.endswith("parquet")]
    assert len(left) == 3 and not any(day(300) in path for path in left)
    lines = (settings.serving.logs / PLAN_LOG).read_bytes().splitlines()
    assert len(lines) == 3 and {"path", "day", "files", "bytes"} <= json.loads(lines[0]).keys()
    told = json.loads((settings.serving.logs / LOG).read_bytes().splitlines()[0])
    assert told["bytes_deleted"] > 0 and {"path", "elapsed_ms"} <= told.keys()
    assert plan(settings, TODAY) == []


def test_what_a_crash_left_goes_the_next_night(settings: PipelineSettings) -> None:
    rows(settings, "bronze/auction_bids", [1, 300])
    due = plan(settings, TODAY)
    lake = settings.open_lake()
    lake.open("bronze/auction_bids").delete(f"dt = '{day(300)}'")  # type: ignore[union-attr]
    assert plan(settings, TODAY) == due, "dropped from the table, still on the disk"
    collect(settings, due)
    assert plan(settings, TODAY) == [] and len(lake.scan("bronze/auction_bids").collect()) == 1


def test_a_training_set_goes_and_its_card_stays(settings: PipelineSettings) -> None:
    folder = Path(settings.lake_root) / "gold" / "tve_dataset" / "v1"
    folder.mkdir(parents=True)
    for name in ("ads.parquet", "bids.parquet", "dataset.json"):
        (folder / name).write_bytes(b"x")
        old = time.time() - 91 * 86_400
        os.utime(folder / name, (old, old))
    today = datetime.now(UTC).date()
    (due,) = plan(settings, today)
    assert (due.kind, due.files) == ("gold", 2)
    collect(settings, [due])
    assert [path.name for path in folder.iterdir()] == ["dataset.json"]
    assert plan(settings, today) == []


def test_billing_records_go_only_when_the_lake_has_them(settings: PipelineSettings) -> None:
    logs = settings.serving.logs
    for seed in (1, 2, 3):
        record(logs, seed, 2)
        seal_active(logs)
    old = time.time() - 181 * 86_400
    for stream in STREAMS:
        for path in sealed(logs, stream):
            os.utime(path, (old, old))
    today = datetime.now(UTC).date()
    assert plan(settings, today) == [], "nothing says that they were taken"
    (logs / "ingested.json").write_text(json.dumps({BIDS: {"here": 2 << 40 | 999}}))
    assert taken_segments(logs) == {BIDS: 1}, "the second file was only begun"
    (due,) = plan(settings, today)
    assert due.path.endswith(f"{BIDS}.000001")
    (logs / "ingested.json").write_text(json.dumps({s: {"here": 9 << 40} for s in STREAMS}))
    collect(settings, plan(settings, today))
    for stream in STREAMS:
        assert [p.name for p in ledger_files(logs, stream)] == [f"{stream}.000003"], (
            "the newest stays"
        )
    settled = settle(logs)
    assert settled.ok and settled.receipts == 2


def test_a_damaged_note_of_ingest_lets_nothing_go(settings: PipelineSettings) -> None:
    logs = settings.serving.logs
    logs.mkdir(parents=True)
    for text in ("{", "[]", '{"auction.bids": 3}', '{"auction.bids": {"a": "x"}}'):
        (logs / "ingested.json").write_text(text)
        assert taken_segments(logs) == {}


@pytest.mark.spec("ORC-C-06")
def test_a_terabyte_is_planned_from_its_list(tmp_path: Path) -> None:
    """The dry run of the seed: 1 TB in files of 256 MB (sparse, as large to the planner)."""
    folder, size = tmp_path / "bronze" / "auction_vcg", 256_000_000
    for number in range(4_000):
        path = folder / f"dt={day(200 + number % 100)}" / f"part-{number}.zstd.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            file.truncate(size)
    due = due_partitions(FolderFiles(tmp_path), TODAY)
    assert sum(one.size for one in due) >= 1e12 and sum(one.files for one in due) == 4_000


def test_the_bench_prints_a_rate() -> None:
    command = [sys.executable, "-m", "pipelines_dagster.defs.retention.bench"]
    command += ["--mb", "40", "--file-mb", "2"]
    root = str(Path(__file__).resolve().parents[3])
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, env=os.environ | {"PYTHONPATH": root}
    )
    assert "28 days" in done.stdout or "20 days" in done.stdout
    assert "MB/s" in done.stdout


def test_the_asset_runs_at_two_at_night(
    settings: PipelineSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SKYNET_STATE", str(settings.serving.state))
    rows(settings, "bronze/auction_bids", [0])
    old = pl.DataFrame({"a": [1], "dt": ["2020-01-01"]})
    settings.open_lake().append("bronze/auction_bids", old)
    defs = dg.Definitions.merge(
        DEFS, dg.Definitions(resources={"pipelines": Pipelines()}, jobs=[JOBS["retention"]])
    )
    result = defs.resolve_job_def("retention").execute_in_process()
    (made,) = result.asset_materializations_for_node("ops__retention")
    assert made.metadata["days"].value >= 1 and made.metadata["erasures_open"].value == 0
    assert RETENTION.cron == "0 2 * * *"


def test_the_rate_of_nothing_is_zero(settings: PipelineSettings) -> None:
    done = collect(settings, [])
    assert dataclasses.replace(done, seconds=0.0).mb_s == 0.0 and np.isfinite(done.mb_s)
