# SPDX-License-Identifier: Apache-2.0
"""What the tests of ingest share: two topics, quick limits, sending and draining."""

from __future__ import annotations

from bls.errors import SkynetError
from bls.events.schema import Event
from pipelines_dagster.defs.ingest.ingest import Ingest, bronze
from pipelines_dagster.defs.ingest.limits import IngestLimits
from pipelines_dagster.defs.ingest.report import Report
from pipelines_dagster.defs.ingest.testbed.broker import Broker
from pipelines_dagster.defs.ingest.testbed.events import send
from pipelines_dagster.lake.lake import Lake

BIDS, CLICKS = "auction.bids", "click.logs"


QUICK = IngestLimits(records=300, seconds=2.0, backoff_s=0.05, give_up_s=5.0)


def publish(broker: Broker, topic: str, sent: list[Event]) -> None:
    with broker.producer() as producer:
        for event in sent:
            send(producer, topic, event)


def drain(ingest: Ingest) -> Report:
    """Cycle until nothing waits, over session faults as the service does."""
    for _ in range(60):
        try:
            if ingest.cycle(wait=False).caught_up:
                return ingest.report
        except SkynetError as fault:
            assert fault.code in ("kafka_unavailable", "progress_moved", "out_of_range")
    raise AssertionError("never caught up")


def ids(lake: Lake, topic: str) -> list[str]:
    return lake.scan(bronze(topic)).collect()["event_id"].sort().to_list()
