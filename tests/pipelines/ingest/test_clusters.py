# SPDX-License-Identifier: Apache-2.0
"""Another cluster, and offsets that a cluster no longer has."""

from __future__ import annotations

import json
import threading

import numpy as np
import pytest
from kafka import TopicPartition

from bls.errors import SkynetError
from pipelines_dagster.defs.ingest.ingest import Ingest, bronze
from pipelines_dagster.defs.ingest.origin import holes
from pipelines_dagster.defs.ingest.source import Source
from pipelines_dagster.defs.ingest.testbed.broker import Broker
from pipelines_dagster.defs.ingest.testbed.events import events
from pipelines_dagster.lake.lake import Lake
from tests.pipelines.ingest.rig import BIDS, CLICKS, QUICK, drain, ids, publish


def test_another_cluster_is_read_from_its_beginning_and_repeats_nothing(
    broker: Broker, lake: Lake, ingest: Ingest
) -> None:
    sent = list(events(BIDS, 300, per_reply=5))
    publish(broker, BIDS, sent[:200])
    drain(ingest)
    before = ingest.report.cluster
    broker.restart()
    publish(broker, BIDS, sent[100:])
    report = drain(ingest)
    assert report.cluster != before
    assert (report.rows, report.duplicates, report.lost) == (300, 100, 0)
    assert ids(lake, BIDS) == sorted(str(event["event_id"]) for event in sent)
    assert holes(lake.origins(bronze(BIDS))) == []
    ingest.close()


def test_what_was_polled_of_a_cluster_that_changed_is_not_taken(broker: Broker, lake: Lake) -> None:
    sent = list(events(BIDS, 100, per_reply=5))
    publish(broker, BIDS, sent)
    restarts = []

    def restart(step: str) -> None:
        if step == "polled" and not restarts:
            restarts.append(broker.restart())

    ingest = Ingest(lake, broker.servers, [BIDS], QUICK, step=restart)
    with pytest.raises(SkynetError) as refused:
        ingest.cycle(wait=False)
    assert refused.value.code == "kafka_unavailable"
    assert lake.open(bronze(BIDS)) is None
    publish(broker, BIDS, sent)
    assert drain(ingest).rows == 100
    ingest.close()


def test_messages_that_kafka_dropped_are_counted_and_written_down(
    broker: Broker, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The broker keeps everything, so its answer for the first offset is put forward."""
    publish(broker, BIDS, list(events(BIDS, 200, per_reply=5)))
    real = Source.first
    monkeypatch.setattr(
        Source, "first", lambda self: {place: at + 7 for place, at in real(self).items()}
    )
    ingest = Ingest(lake, broker.servers, [BIDS], QUICK)
    report = drain(ingest)
    assert (report.rows, report.lost) == (200 - 28, 28)
    said = [c.origin["lost"] for c in lake.origins(bronze(BIDS)) if "lost" in c.origin]
    assert sum(sum(json.loads(text).values()) for text in said) == 28
    ingest.close()


def test_a_log_that_ends_before_the_position_is_read_again(
    broker: Broker, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kafka says a position is out of range though its first offset is not past it."""
    publish(broker, BIDS, list(events(BIDS, 100, per_reply=5)))
    ingest = Ingest(lake, broker.servers, [BIDS], QUICK)
    drain(ingest)
    real, said = Source.poll, []

    def poll(self: Source, *arguments: object) -> object:
        if not said:
            said.append(self)
            self.out_of_range = [(BIDS, 0), (BIDS, 1), (BIDS, 2), (BIDS, 3)]
            raise SkynetError("out_of_range", "cut", 503)
        return real(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(Source, "poll", poll)
    report = drain(ingest)
    assert (report.rows, report.duplicates, report.lost, report.restarts) == (100, 100, 0, 1)
    assert len(ids(lake, BIDS)) == 100
    ingest.close()


def test_highwater_not_the_asked_end_decides(broker: Broker) -> None:
    """The bundled broker understates the end; what is fetched tells it."""
    publish(broker, CLICKS, list(events(CLICKS, 100)))
    source = Source(broker.servers, [CLICKS])
    source.seek(dict.fromkeys(source.places, 0))
    assert not source.drained()
    taken = source.poll(1_000, 5.0, False, threading.Event())[CLICKS]
    assert source.drained()
    assert sum(source.end().values()) == len(taken) == 100
    assert np.all(np.bincount(taken.partitions, minlength=4) == list(source.end().values()))
    assert source._consumer.assignment() == {TopicPartition(CLICKS, p) for p in range(4)}
    source.close()
