# SPDX-License-Identifier: Apache-2.0
"""Places outside the lake: Redis, Kafka, debug streams, the list of creatives, the registry."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from kafka import KafkaAdminClient, TopicPartition

from bls.brain.hub import codec
from bls.brain.hub.redis_line import PREFIX
from bls.brain.hub.window import Window
from bls.errors import SkynetError
from bls.jsonlog import JsonLog
from bls.settings import Settings
from pipelines_dagster.defs.gdpr import broker
from pipelines_dagster.defs.gdpr.creatives import ErasedCreatives
from pipelines_dagster.defs.gdpr.erase import erase
from pipelines_dagster.defs.gdpr.hubs import erase_windows
from pipelines_dagster.defs.gdpr.logs import count_lines, erase_logs
from pipelines_dagster.defs.gdpr.models import TAG, invalidate
from pipelines_dagster.defs.gdpr.subject import Kind, Subject
from pipelines_dagster.defs.ingest.testbed.broker import Broker
from pipelines_dagster.lake.lake import Lake
from pipelines_dagster.settings import PipelineSettings
from tests.brain.hub.redis_server import RedisServer, free_port, needs_redis, plain

TOPIC = "auction.policy"


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    server = plain(tmp_path_factory.mktemp("redis"))
    yield server
    server.kill()


def window(*advertisers: str) -> bytes:
    vector = np.zeros(128, np.float32)
    vector[0] = 1
    return codec.encode(Window.opened(vector, dict.fromkeys(advertisers, 0.5)))


@needs_redis
@pytest.mark.spec("CBP-S-04")
def test_windows_in_redis_are_evicted(redis: RedisServer, tmp_path: Path) -> None:
    client = redis.client
    for conv, names in (("c1", ("a77", "b")), ("c2", ("b",)), ("c3", ("a77",))):
        client.set(f"{PREFIX}{conv}", window(*names))
    client.set(f"{PREFIX}c4", b"no window")
    client.set("other", b"a77")
    settings = PipelineSettings(Settings(state=tmp_path, redis=redis.url))
    done = erase(settings, conv_id="c1")
    assert done.done and done.rows("redis") == 1
    step = erase_windows(redis.url, Subject(Kind.ADV, "a77"))
    assert step is not None and (step.removed, step.found) == (2, 0), "and what nobody can read"
    assert set(client.scan_iter("*")) == {f"{PREFIX}c2".encode(), b"other"}
    assert erase_windows(redis.url, Subject(Kind.MSG, "1")) is None


def test_a_redis_that_does_not_answer_is_no_success(tmp_path: Path) -> None:
    settings = PipelineSettings(Settings(state=tmp_path, redis=f"redis://127.0.0.1:{free_port()}"))
    with pytest.raises(SkynetError) as caught:
        erase(settings, conv_id="c1")
    assert caught.value.code == "redis_unreachable"


def test_debug_streams_are_struck_under_a_running_writer(tmp_path: Path) -> None:
    log = JsonLog(tmp_path, 100)
    for conv in ("c1", "c10", "c1", "c2"):
        log.write("mpc.decisions", conv_id=conv, bid=0.5)
        log.write("x", id=conv)
    _until(lambda: count_lines([tmp_path], Subject(Kind.CONV, "c2")) == 2)
    sizes = {path.name: path.stat().st_size for path in tmp_path.iterdir()}
    step = erase_logs([tmp_path, tmp_path / "none"], Subject(Kind.CONV, "c1"), "gdpr_1")
    assert (step.removed, step.files, step.found) == (4, 2, 0)
    assert sizes == {path.name: path.stat().st_size for path in tmp_path.iterdir()}
    log.write("mpc.decisions", conv_id="c3")
    log.close()
    lines = [json.loads(x) for x in (tmp_path / "mpc.decisions").read_bytes().splitlines()]
    assert [line.get("conv_id") for line in lines] == [None, "c10", None, "c2", "c3"]
    assert lines[0] == {"erased": "gdpr_1"}


def test_odd_lines_are_struck_too(tmp_path: Path) -> None:
    (tmp_path / "torn").write_bytes(b'{"conv_id":"c1","x":\n{"a":["c1"]}\n"c1"\n{"c1":2}\n"c1 r"\n')
    (tmp_path / "gateway.txt").write_text("c1 c10 xc1 c1.\n")
    buried = [json.dumps({"line": json.dumps({"conv_id": conv})}) for conv in ("c1", "c10")]
    (tmp_path / "dead.letters").write_text("".join(f"{line}\n" for line in buried))
    mine = Subject(Kind.CONV, "c1")
    assert erase_logs([tmp_path], mine, "gdpr_1").found == 0
    assert b"c1" not in (tmp_path / "torn").read_bytes()
    left = (tmp_path / "dead.letters").read_text().splitlines()
    assert json.loads(left[0]) == {"erased": "gdpr_1"} and left[1] == buried[1]
    assert (tmp_path / "gateway.txt").read_text() == "** c10 xc1 c1.\n"
    (tmp_path / "gateway.txt").write_text("the hotel page\n")
    (tmp_path / "alerts").write_text('{"advertiser":"hotel"}\n{"why":"a hotel"}\n')
    step = erase_logs([tmp_path], Subject(Kind.ADV, "hotel"), "gdpr_1")
    assert step.removed == 1 and "hotel" in (tmp_path / "gateway.txt").read_text()
    assert "a hotel" in (tmp_path / "alerts").read_text()


def test_the_list_of_creatives(tmp_path: Path) -> None:
    erased = ErasedCreatives(tmp_path / "creatives" / "erased.jsonl")
    assert erased.read() == frozenset()
    assert erased.delete("888") and not erased.delete("888") and erased.delete("9")
    with (tmp_path / "creatives" / "erased.jsonl").open("ab") as file:
        file.write(b'{"msg_id": "1')
    assert erased.read() == {"888", "9"}


def test_the_registry_is_tagged(tmp_path: Path) -> None:
    from mlflow import MlflowClient  # noqa: PLC0415

    settings = PipelineSettings(Settings(state=tmp_path))
    lake = settings.open_lake()
    assert invalidate(settings, lake, "gdpr_1", ["gold/a/all_01"]) == []
    (tmp_path / "mlflow").mkdir()
    client = MlflowClient(settings.registry_uri, settings.registry_uri)
    client.create_registered_model("pred")
    for dataset in ("all_01", "some_01"):
        client.create_model_version("pred", str(tmp_path), tags={"dataset": f"/x/gold/a/{dataset}"})
    marked = invalidate(settings, lake, "gdpr_1", ["gold/a/all_01"])
    assert [one.version for one in marked] == ["1"]
    tags = {v.version: v.tags.get(TAG) for v in client.search_model_versions("name='pred'")}
    assert {str(k): v for k, v in tags.items()} == {"1": "gdpr_1", "2": None}


@pytest.fixture(scope="module")
def kafka() -> Iterator[str]:
    """Three messages of one topic."""
    with Broker([TOPIC], partitions=1) as started:
        with started.producer() as producer:
            for number in range(3):
                producer.send(TOPIC, b"%d" % number, partition=0)
        yield started.servers


@pytest.fixture
def cluster(kafka: str) -> str:
    admin = KafkaAdminClient(bootstrap_servers=kafka)
    found = str(admin.describe_cluster()["cluster_id"])
    admin.close()
    return found


@pytest.fixture
def taken(cluster: str, tmp_path: Path) -> Lake:
    """The lake has what the topic holds, and more of another cluster."""
    lake = Lake(str(tmp_path / "lake"))
    for one, end in ((cluster, 3), ("another", 1_000)):
        noted = {"ranges": json.dumps({"0": [0, end]}), "topic": TOPIC, "cluster": one}
        lake.append("bronze/auction_policy", pl.DataFrame({"conv_id": ["c1"]}), origin=noted)
    return lake


@pytest.mark.spec("AUC-S-04")
def test_a_broker_that_cannot_cut_off_says_so(kafka: str, cluster: str, taken: Lake) -> None:
    """The bundled one hangs up; the topic's day of retention does it."""
    assert broker.taken(taken, TOPIC, cluster) == {0: 3}, "an older cluster's do not count"
    (step,) = broker.cut_topics(kafka, taken, Subject(Kind.CONV, "c1"))
    assert step.place == f"kafka/{TOPIC}"
    assert step.note == "KafkaConnectionError: gone within 24 h by the topic's retention"
    (away,) = broker.cut_topics("127.0.0.1:1,nonsense", taken, Subject(Kind.CONV, "c1"))
    assert away.note == "no broker answers: gone within 24 h by the topic's retention"
    assert broker.cut_topics(kafka, taken, Subject(Kind.CTX, "1")) == []


@pytest.mark.spec("AUC-S-04")
def test_a_broker_that_can_is_told_where(
    kafka: str, taken: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All but the one request the bundled broker has no answer to is real."""
    asked: list[dict[TopicPartition, int]] = []
    monkeypatch.setattr(
        KafkaAdminClient, "delete_records", lambda self, offsets, **_: asked.append(offsets)
    )
    (step,) = broker.cut_topics(kafka, taken, Subject(Kind.CONV, "c1"))
    assert asked == [{TopicPartition(TOPIC, 0): 3}]
    assert (step.place, step.note) == (f"kafka/{TOPIC}", "cut off at {0: 3}")


def _until(true: object, seconds: float = 20.0) -> None:
    stop = time.monotonic() + seconds
    while not true():  # type: ignore[operator]
        assert time.monotonic() < stop
        time.sleep(0.02)
