# SPDX-License-Identifier: Apache-2.0
"""The area in Dagster: assets with metadata, checks, retries, the sensor."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pytest

from bls.errors import SkynetError
from bls.events.topics import TOPICS
from pipelines_dagster.defs.ingest import __main__ as command
from pipelines_dagster.defs.ingest import once
from pipelines_dagster.defs.ingest.assets import KEYS
from pipelines_dagster.defs.ingest.checks import CHECKS
from pipelines_dagster.defs.ingest.definitions import DEFS
from pipelines_dagster.defs.ingest.ingest import bronze
from pipelines_dagster.defs.ingest.jobs import upkeep
from pipelines_dagster.defs.ingest.sensors import kafka_lag
from pipelines_dagster.defs.ingest.testbed.broker import Broker
from pipelines_dagster.defs.ingest.testbed.events import events, send
from pipelines_dagster.defs.ingest.verify import gap_fault, repeat_fault, schema_fault
from pipelines_dagster.lake.lake import Lake
from pipelines_dagster.resources import Pipelines

CLICKS, BIDS = "click.logs", "auction.bids"


@pytest.fixture
def lake(broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    """The lake of the settings in the environment."""
    monkeypatch.setenv("SKYNET_STATE", str(tmp_path))
    monkeypatch.setenv("SKYNET_KAFKA", broker.servers)
    return Lake(str(tmp_path / "lake"))


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as made:
        yield made


def publish(broker: Broker, topic: str, count: int, first: int = 0) -> None:
    with broker.producer() as producer:
        for event in events(topic, count, first=first, per_reply=5):
            send(producer, topic, event)


def run(instance: dg.DagsterInstance, job: str = "ingest") -> Any:
    definitions = dg.Definitions.merge(DEFS, dg.Definitions(resources={"pipelines": Pipelines()}))
    return definitions.resolve_job_def(job).execute_in_process(instance=instance)


def test_one_run_fills_and_checks_every_table(
    broker: Broker, lake: Lake, instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    for topic in TOPICS:
        publish(broker, topic, 20)
    result = run(instance)
    assert result.success
    made = {event.asset_key: event for event in result.get_asset_materialization_events()}
    assert set(made) == set(KEYS)
    shown = made[dg.AssetKey(["bronze", "auction_bids"])].materialization.metadata
    assert shown["dagster/row_count"].value == 20
    assert shown["waiting"].value == 0
    assert sum(shown["next_offsets"].value.values()) == 20
    checks = result.get_asset_check_evaluations()
    assert {check.check_name for check in checks} == set(CHECKS)
    assert len(checks) == len(TOPICS) * len(CHECKS)
    assert all(check.passed for check in checks)
    text = (tmp_path / "metrics" / "ingest.prom").read_text()
    assert 'orch_kafka_lag_seconds{topic="auction.bids"} 0' in text
    assert json.loads((tmp_path / "logs" / "ingested.json").read_text())


@pytest.mark.spec("ORC-C-05")
def test_a_run_that_fails_once_is_tried_again_and_succeeds(
    broker: Broker, lake: Lake, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(broker, CLICKS, 10)
    real, calls = once.ingest_once, []

    def fail_once(*arguments: Any) -> Any:
        calls.append(1)
        if len(calls) == 1:
            raise SkynetError("lake_unavailable", "injected", 503)
        return real(*arguments)

    monkeypatch.setattr(once, "ingest_once", fail_once)
    assert run(instance).success
    assert len(calls) == 2
    assert lake.scan(bronze(CLICKS)).collect().height == 10


def test_the_sensor_asks_for_a_run_tells_news_and_then_rests(
    broker: Broker, lake: Lake, instance: dg.DagsterInstance
) -> None:
    def look(cursor: str | None) -> dg.SensorResult:
        context = dg.build_sensor_context(instance=instance, cursor=cursor)
        return kafka_lag(context, pipelines=Pipelines())  # type: ignore[return-value]

    publish(broker, CLICKS, 10)
    asked = look(None)
    assert len(asked.run_requests or ()) == 1
    assert lake.open(bronze(CLICKS)) is None
    once.ingest_once(Pipelines().settings())
    told = look(asked.cursor)
    assert not told.run_requests
    assert {event.asset_key for event in told.asset_events} == set(KEYS)
    rested = look(told.cursor)
    assert (rested.asset_events, rested.run_requests) == ([], [])
    broker.stop()
    away = look(told.cursor)
    assert away.cursor == told.cursor
    assert away.skip_reason is not None


@pytest.mark.spec("TVE-C-06")
def test_the_schema_check_sees_columns_types_and_emptiness(lake: Lake) -> None:
    assert schema_fault(lake, "tve.feedback") is None
    once.ingest_once(Pipelines().settings())
    assert schema_fault(lake, "tve.feedback") is None
    table = bronze("tve.feedback")
    rows = pl.DataFrame(schema=lake.scan(table).collect_schema())
    Lake(lake.root).append(
        bronze("mro.select"),
        pl.DataFrame(schema=lake.scan(bronze("mro.select")).collect_schema()),
        origin={"rows": "5"},
    )
    assert "no rows" in str(schema_fault(lake, "mro.select"))
    other = Lake(lake.root + "-other")
    other.append(table, rows.drop("spread"))
    assert schema_fault(other, "tve.feedback") == "spread is missing"
    third = Lake(lake.root + "-third")
    third.append(table, rows.cast({"count": pl.Int64}))
    assert "count is Int64" in str(schema_fault(third, "tve.feedback"))


def test_gaps_and_repeats_are_seen(broker: Broker, lake: Lake) -> None:
    assert gap_fault(lake, CLICKS) is None
    assert repeat_fault(lake, CLICKS) is None
    for topic in (CLICKS, BIDS):
        publish(broker, topic, 20)
    once.ingest_once(Pipelines().settings())
    assert gap_fault(lake, CLICKS) is None
    assert repeat_fault(lake, CLICKS) is None
    assert repeat_fault(lake, BIDS) is None
    rows = lake.scan(bronze(CLICKS)).collect()
    bids = lake.scan(bronze(BIDS)).collect()
    renamed = rows.with_columns(pl.col("event_id") + "x")
    lake.append(bronze(CLICKS), renamed)
    assert "offsets more than once" in str(repeat_fault(lake, CLICKS))
    told_again = rows.with_columns(pl.col("kafka_offset") + 1_000)
    lake.replace(bronze(CLICKS), pl.concat([rows, told_again]))
    assert repeat_fault(lake, CLICKS) is None, "a reader's events may be told again"
    lake.append(bronze(BIDS), bids.with_columns(pl.col("kafka_offset") + 1_000))
    assert "event ids more than once" in str(repeat_fault(lake, BIDS))
    (cluster,) = {c.origin["cluster"] for c in lake.origins(bronze(CLICKS)) if c.origin}
    said = {"cluster": cluster, "ranges": '{"0": [900, 901]}'}
    lake.append(bronze(CLICKS), rows.clear(), origin=said)
    assert "were not taken" in str(gap_fault(lake, CLICKS))
    lake.append(bronze(BIDS), lake.scan(bronze(BIDS)).collect(), origin={"lost": '{"0": 3}'})
    assert "Kafka had dropped" in str(gap_fault(lake, BIDS))


def test_upkeep_joins_small_files(broker: Broker, lake: Lake, instance: dg.DagsterInstance) -> None:
    for first in (0, 10, 20):
        publish(broker, CLICKS, 10, first)
        once.ingest_once(Pipelines().settings())
    assert upkeep(lake)[bronze(CLICKS)] == (3, 0)
    assert run(instance, "bronze_upkeep").success
    assert lake.scan(bronze(CLICKS)).collect().height == 30


def test_the_command_once_and_its_faults(
    broker: Broker, lake: Lake, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    publish(broker, CLICKS, 7)
    assert command.main(["--once"]) == 0
    assert "7 rows, 0 waiting" in capsys.readouterr().out
    monkeypatch.setenv("SKYNET_PIPELINES_TYPO", "1")
    assert command.main(["--once"]) == 1
    assert "SKYNET_PIPELINES_TYPO" in capsys.readouterr().err


def test_follow_takes_what_comes_and_ends_on_sigterm(broker: Broker, lake: Lake) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "pipelines_dagster.defs.ingest", "--follow", "--seconds", "0.3"],
        stdout=subprocess.PIPE,
        text=True,
    )
    publish(broker, CLICKS, 15)
    until = time.monotonic() + 60
    while time.monotonic() < until:
        if lake.open(bronze(CLICKS)) and lake.scan(bronze(CLICKS)).collect().height == 15:
            break
        time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "15 rows, 0 waiting" in out
