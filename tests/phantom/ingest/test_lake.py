# SPDX-License-Identifier: Apache-2.0
"""From a shop's request to the lake through the real broker: once, whatever is killed."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from bls.errors import SkynetError
from bls.events.relay.relay import RelayOptions
from bls.phantom.lines import EVENTS, PRICES
from bls.settings import REPOSITORY, Settings
from pipelines_dagster.defs.datasets.refresh import refresh
from pipelines_dagster.defs.datasets.sessions import RECIPE
from pipelines_dagster.defs.gdpr.erase import dry_run, erase
from pipelines_dagster.defs.gdpr.subject import Kind, Subject, subject_of
from pipelines_dagster.defs.ingest.ingest import Ingest, bronze
from pipelines_dagster.defs.ingest.limits import IngestLimits
from pipelines_dagster.lake.lake import Lake
from pipelines_dagster.settings import PipelineSettings
from tests.client.fake_triton import wait_until
from tests.events.spool import LiveRelay
from tests.events.tansu import TestBroker, environment
from tests.phantom.ingest.rig import ITEMS, Shop, event, lines, open_shop, quote
from tests.phantom.ingest.scorer import Scorer

pytestmark = pytest.mark.spec("PH-07")

STREAMS = (EVENTS, PRICES)
QUICK = IngestLimits(records=300, seconds=0.5, backoff_s=0.05, give_up_s=5.0)


@pytest.fixture(scope="module")
def broker() -> Iterator[TestBroker]:
    with TestBroker() as started:
        yield started


def relay(folder: Path, broker: TestBroker) -> LiveRelay:
    options = RelayOptions(folder / "logs", broker.address, STREAMS, retry_s=0.05, poll_s=0.01)
    return LiveRelay(options, connect_s=0.4, flush_s=5.0)


def start_relay(folder: Path, broker: TestBroker) -> subprocess.Popen[bytes]:
    """As a process, to be killed."""
    command = [sys.executable, "-m", "bls.events.relay", "--logs", str(folder / "logs")]
    command += ["--kafka", broker.address, "--topics", ",".join(STREAMS)]
    return subprocess.Popen(command, cwd=REPOSITORY, env=environment(), stderr=subprocess.DEVNULL)


def drain(lake: Lake, broker: TestBroker, folder: Path) -> None:
    """Everything in Kafka into the lake."""
    note = folder / "logs" / "ingested.json"
    ingest = Ingest(lake, broker.address, limits=QUICK, ingested=note)
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        try:
            if ingest.cycle(wait=False).caught_up:
                return
        except SkynetError as fault:
            assert fault.code in ("kafka_unavailable", "progress_moved")
    raise AssertionError("never caught up")


def in_lake(lake: Lake, topic: str, like: str) -> list[str]:
    rows = lake.scan(bronze(topic)).filter(pl.col("session_id").str.starts_with(like)).collect()
    return sorted(rows["event_id"].to_list())


def on_disk(folder: Path) -> list[str]:
    return sorted(f"{line['session_id']}:{line['event_id']}" for line in lines(folder, EVENTS))


def visit(shop: Shop, prefix: str, count: int = 6, repeat: int = 2) -> None:
    """Sessions of a few acts and prices, every request sent several times."""
    for number in range(count):
        sid = f"{prefix}-{number}"
        batches = [[event(), event("hover_title", dwell_ms=9)], [event("add_item", item=ITEMS[1])]]
        shown = [quote(), quote(ITEMS[1])]
        for _ in range(repeat):
            assert shop.show(*shown, sid=sid).is_success
            for batch in batches:
                assert shop.tell(*batch, sid=sid).is_success


def test_once_whatever_is_killed(broker: TestBroker, scorer: Scorer, tmp_path: Path) -> None:
    """A relay is killed, one loses its place, the gateway starts anew; all is sent twice."""
    lake = Lake(str(tmp_path / "lake"))
    checkpoint = tmp_path / "logs" / f"relay.{'+'.join(sorted(STREAMS))}.json"
    with open_shop(scorer.address, tmp_path) as shop:
        visit(shop, "a")
        killed = start_relay(tmp_path, broker)
        assert wait_until(checkpoint.exists, 90)
        killed.kill()
        killed.wait()
        visit(shop, "b")
        with relay(tmp_path, broker):
            pass
        drain(lake, broker, tmp_path)
    with open_shop(scorer.address, tmp_path) as shop:
        visit(shop, "c", repeat=1)
        checkpoint.unlink()  # as a relay that was killed before it wrote: all is sent again
        with relay(tmp_path, broker) as live:
            visit(shop, "d")
        assert live.stats.dead_letters.total() == 0
    drain(lake, broker, tmp_path)
    found = in_lake(lake, EVENTS, "")
    assert found == on_disk(tmp_path) and len(found) == 24 * 3 == len(set(found))
    assert len(set(in_lake(lake, PRICES, ""))) == len(in_lake(lake, PRICES, "")) == 24 * 2
    rows = lake.scan(bronze(EVENTS)).collect()
    places = rows.group_by("session_id").agg(pl.col("kafka_partition").n_unique())
    assert places["kafka_partition"].to_list() == [1] * 24, "a session is in one partition"
    assert rows["kafka_partition"].n_unique() > 1
    ordered = rows.sort("kafka_partition", "kafka_offset").filter(pl.col("session_id") == "d-0")
    assert ordered["action"].to_list() == ["view_item", "hover_title", "add_item"]


@pytest.fixture(scope="module")
def told(
    broker: TestBroker, scorer: Scorer, tmp_path_factory: pytest.TempPathFactory
) -> tuple[PipelineSettings, Lake]:
    """A state folder with labelled sessions, and its lake."""
    state = tmp_path_factory.mktemp("state")
    settings = PipelineSettings(Settings(state=state, kafka=broker.address))
    with open_shop(scorer.address, state) as shop:
        visit(shop, "x", count=3)
        for sid, body in (
            ("x-0", {"label": "human", "origin": "operator"}),
            ("x-1", {"label": "synthetic", "origin": "exhaustive", "actor": "agent"}),
        ):
            assert shop.post(f"/v1/sessions/{sid}/label", body).is_success
        visit(shop, "x", count=1)
    with relay(state, broker):
        pass
    drain(settings.open_lake(), broker, state)
    return settings, settings.open_lake()


def test_silver_has_every_act_in_order_with_its_sessions_label(
    told: tuple[PipelineSettings, Lake],
) -> None:
    _, lake = told
    refresh(lake, RECIPE)
    rows = lake.scan(RECIPE.table).filter(pl.col("session_id").str.starts_with("x-")).collect()
    rows = rows.sort("session_id", "ts", "seq")
    assert rows["event_id"].n_unique() == len(rows) == 4 * 3
    assert rows["action"].to_list()[:3] == ["view_item", "hover_title", "add_item"]
    said = rows.group_by("session_id").agg(pl.col("label").unique(), pl.col("origin").unique())
    assert dict(zip(said["session_id"], said["label"].to_list(), strict=True)) == {
        "x-0": ["human"],
        "x-1": ["synthetic"],
        "x-2": ["unknown"],
    }
    assert rows.filter(session_id="x-1")["actor"].to_list() == ["agent"] * 3
    assert refresh(lake, RECIPE).days == ()


@pytest.mark.spec("PH-13")
def test_a_session_is_erased_everywhere(told: tuple[PipelineSettings, Lake]) -> None:
    settings, lake = told
    refresh(lake, RECIPE)
    assert dry_run(settings, subject_of(session_id="x-2"), keep_billing=False)
    done = erase(settings, session_id="x-2")
    assert done.done and done.rows("bronze/session_events") == 3
    assert done.rows("silver/sessions") == 3 and done.rows("ledger") == 3 + 2
    for stream in STREAMS:
        assert b'"x-2"' not in (settings.serving.logs / stream).read_bytes()
    assert in_lake(lake, EVENTS, "x-2") == [] and len(in_lake(lake, EVENTS, "x-1")) > 3
    with pytest.raises(SkynetError, match="Not an id"):
        Subject(Kind.SESSION, "two words")
    with pytest.raises(SkynetError, match="session_id"):
        subject_of(session_id="x-1", conv_id="c")


@pytest.mark.spec("PH-13")
def test_charges_are_kept_and_acts_are_not(told: tuple[PipelineSettings, Lake]) -> None:
    settings, lake = told
    done = erase(settings, session_id="x-1", keep_billing=True)
    assert done.done and done.rows("bronze/session_events") == 4
    assert b'"x-1"' not in (settings.serving.logs / EVENTS).read_bytes()
    assert len(in_lake(lake, EVENTS, "x-0")) > 3
