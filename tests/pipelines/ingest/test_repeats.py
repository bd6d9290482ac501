# SPDX-License-Identifier: Apache-2.0
"""What comes twice, what cannot be read, and a death between the two."""

from __future__ import annotations

import pytest

from bls.events.schema import encode
from pipelines_dagster.defs.ingest.dead_letters import TABLE as DEAD
from pipelines_dagster.defs.ingest.ingest import Ingest
from pipelines_dagster.defs.ingest.limits import IngestLimits
from pipelines_dagster.defs.ingest.testbed.broker import Broker
from pipelines_dagster.defs.ingest.testbed.events import events, send
from pipelines_dagster.lake.lake import Lake
from tests.pipelines.ingest.rig import BIDS, CLICKS, QUICK, drain, ids, publish


def test_what_the_relay_sent_twice_is_left_out_and_counted(
    broker: Broker, lake: Lake, ingest: Ingest
) -> None:
    sent = list(events(BIDS, 200, per_reply=5))
    publish(broker, BIDS, sent[:120])
    drain(ingest)
    publish(broker, BIDS, sent[60:])
    report = drain(ingest)
    assert (report.rows, report.duplicates, report.topic(BIDS).disordered) == (200, 60, 0)
    assert len(set(ids(lake, BIDS))) == 200
    publish(broker, BIDS, sent)
    assert drain(ingest).duplicates == 260
    assert len(ids(lake, BIDS)) == 200
    ingest.close()


def test_bad_messages_are_kept_once_and_stop_nothing(
    broker: Broker, lake: Lake, ingest: Ingest
) -> None:
    bad = [b"junk", None, encode(CLICKS, next(events(CLICKS, 1))) + b"\0"]
    with broker.producer() as producer:
        for number, event in enumerate(events(CLICKS, 30)):
            send(producer, CLICKS, event)
            if number % 10 == 5:
                producer.send(CLICKS, bad[number // 10], key=b"any")
    report = drain(ingest)
    assert (report.rows, report.dead) == (30, 3)
    found = lake.scan(DEAD).sort("kafka_offset").collect()
    assert found["reason"].to_list() == ["unknown_schema", "empty", "trailing_bytes"]
    assert found["raw"].to_list() == bad
    assert found["topic"].unique().to_list() == [CLICKS]
    ingest.close()


def test_a_death_between_letters_and_rows_repeats_neither(broker: Broker, lake: Lake) -> None:
    with broker.producer() as producer:
        for event in events(CLICKS, 20):
            send(producer, CLICKS, event)
            producer.send(CLICKS, b"junk", key=b"any")

    class DeathError(Exception):
        pass

    def die(step: str) -> None:
        if step == "decoded":
            raise DeathError

    first = Ingest(lake, broker.servers, [CLICKS], QUICK, step=die)
    with pytest.raises(DeathError):
        first.cycle(wait=False)
    assert lake.scan(DEAD).collect().height > 0
    second = Ingest(lake, broker.servers, [CLICKS], IngestLimits(records=7, seconds=2.0))
    drain(second)
    second.close()
    assert lake.scan(DEAD).collect().height == 20
    assert len(ids(lake, CLICKS)) == 20
