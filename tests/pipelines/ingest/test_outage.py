# SPDX-License-Identifier: Apache-2.0
"""The store is away, or loses answers: nothing is lost and nothing is written twice."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import boto3
import pytest

from bls.errors import SkynetError
from pipelines_dagster.defs.ingest.ingest import Ingest, bronze
from pipelines_dagster.defs.ingest.limits import IngestLimits
from pipelines_dagster.defs.ingest.metrics import prometheus
from pipelines_dagster.defs.ingest.testbed.broker import Broker
from pipelines_dagster.defs.ingest.testbed.events import events, send
from pipelines_dagster.defs.ingest.testbed.s3 import BUCKET, PASS, SWALLOW, Store
from pipelines_dagster.lake.content import content_sha256, in_order
from pipelines_dagster.lake.lake import Lake

CLICKS = "click.logs"
QUICK = IngestLimits(records=400, seconds=2.0, backoff_s=0.05, backoff_max_s=0.5)


@pytest.fixture
def bucket(store: Store, request: pytest.FixtureRequest) -> Lake:
    store.open()
    return Lake(f"{store.root}/{request.node.name}", store.options)


def publish(broker: Broker, first: int, count: int) -> None:
    with broker.producer() as producer:
        for event in events(CLICKS, count, first=first, per_reply=5):
            send(producer, CLICKS, event)


def drain(ingest: Ingest) -> None:
    while not ingest.cycle(wait=False).caught_up:
        pass


@pytest.mark.spec("ORC-S-02")
def test_an_outage_of_the_store_loses_nothing(broker: Broker, store: Store, bucket: Lake) -> None:
    """Events keep coming meanwhile: Kafka is the buffer."""
    publish(broker, 0, 500)
    ingest = Ingest(bucket, broker.servers, [CLICKS], QUICK)
    drain(ingest)
    store.shut()
    publish(broker, 500, 500)
    worker = threading.Thread(target=drain, args=(ingest,))
    worker.start()
    until = time.monotonic() + 30
    while ingest.report.retries < 3 and time.monotonic() < until:
        time.sleep(0.05)
    publish(broker, 1_000, 200)
    store.open()
    worker.join(60)
    drain(ingest)
    ingest.close()
    assert ingest.report.retries >= 3
    assert "orch_s3_retry_total 0\n" not in prometheus(ingest.report)
    found = bucket.scan(bronze(CLICKS)).collect()["seq"].sort().to_list()
    assert found == list(range(1_200))


def test_a_commit_whose_answer_was_lost_is_not_made_again(
    broker: Broker, store: Store, bucket: Lake
) -> None:
    publish(broker, 0, 100)
    ingest = Ingest(bucket, broker.servers, [CLICKS], QUICK)
    drain(ingest)
    publish(broker, 100, 100)
    lost: list[str] = []

    def rule(method: str, path: str) -> str:
        if method == "PUT" and "_delta_log" in path and len(lost) < 3:
            lost.append(path)
            return SWALLOW
        return PASS

    store.rule = rule
    drain(ingest)
    ingest.close()
    assert lost
    assert ingest.report.rows == 200
    found = bucket.scan(bronze(CLICKS)).collect()["seq"].sort().to_list()
    assert found == list(range(200))


def test_a_store_that_stays_away_is_an_error_where_waiting_has_an_end(
    broker: Broker, store: Store, bucket: Lake
) -> None:
    publish(broker, 0, 10)
    limits = IngestLimits(records=400, seconds=2.0, backoff_s=0.05, give_up_s=0.3)
    ingest = Ingest(bucket, broker.servers, [CLICKS], limits)
    store.shut()
    with pytest.raises(SkynetError) as failed:
        ingest.cycle(wait=False)
    assert failed.value.code == "lake_unavailable"
    store.open()
    drain(ingest)
    ingest.close()
    assert bucket.scan(bronze(CLICKS)).collect().height == 10


@pytest.mark.spec("ORC-I-06")
def test_a_folder_and_an_object_store_get_the_same(
    broker: Broker, bucket: Lake, lake: Lake, store: Store
) -> None:
    """Content, and the bytes of the Parquet files."""
    publish(broker, 0, 300)
    hashes = []
    for one in (lake, bucket):
        ingest = Ingest(one, broker.servers, [CLICKS], QUICK)
        drain(ingest)
        ingest.close()
        hashes.append(content_sha256(in_order(one.scan(bronze(CLICKS)).collect())))
    assert hashes[0] == hashes[1]
    (path,) = Path(lake.uri(bronze(CLICKS))).glob("dt=*/*.parquet")
    table = bucket.open(bronze(CLICKS))
    assert table is not None
    (uri,) = table.file_uris()
    s3 = boto3.client("s3", endpoint_url=store.endpoint, region_name="us-east-1")
    name = uri.removeprefix(f"s3://{BUCKET}/")
    assert path.read_bytes() == s3.get_object(Bucket=BUCKET, Key=name)["Body"].read()
