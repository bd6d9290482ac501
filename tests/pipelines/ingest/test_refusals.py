# SPDX-License-Identifier: Apache-2.0
"""Brokers, topics, tables and stores that are not there or not as they should be."""

from __future__ import annotations

import threading

import polars as pl
import pytest

from bls.errors import SkynetError
from pipelines_dagster.defs.ingest.commit import StoppedError
from pipelines_dagster.defs.ingest.ingest import Ingest, bronze
from pipelines_dagster.defs.ingest.testbed.broker import Broker
from pipelines_dagster.defs.ingest.testbed.events import events
from pipelines_dagster.lake.lake import Lake
from tests.pipelines.ingest.rig import BIDS, CLICKS, QUICK, drain, publish


def test_a_broker_that_is_not_there_is_an_error_and_then_a_session(lake: Lake) -> None:
    with Broker([BIDS]) as broker:
        broker.stop()
        ingest = Ingest(lake, broker.servers, [BIDS], QUICK)
        with pytest.raises(SkynetError) as failed:
            ingest.cycle(wait=False)
        assert failed.value.code == "kafka_unavailable"
        broker.start()
        publish(broker, BIDS, list(events(BIDS, 10)))
        assert drain(ingest).rows == 10
        ingest.close()


def test_a_topic_that_does_not_exist_yet_is_not_made(lake: Lake) -> None:
    with Broker([CLICKS]) as broker:
        ingest = Ingest(lake, broker.servers, [BIDS, CLICKS], QUICK)
        publish(broker, CLICKS, list(events(CLICKS, 5)))
        assert drain(ingest).rows == 5
        assert ingest.report.topic(BIDS).offsets == {}
        ingest.close()


def test_a_table_of_another_schema_is_an_error(broker: Broker, lake: Lake) -> None:
    lake.append(bronze(BIDS), pl.DataFrame({"seq": ["text"], "dt": ["2026-11-18"]}))
    publish(broker, BIDS, list(events(BIDS, 10)))
    ingest = Ingest(lake, broker.servers, [BIDS], QUICK)
    with pytest.raises(SkynetError) as refused:
        ingest.cycle(wait=False)
    assert refused.value.code == "schema_violation"


def test_stopping_while_the_store_is_away_commits_nothing(broker: Broker, lake: Lake) -> None:
    class Away(Lake):
        def append(self, *_: object, **__: object) -> int:
            stop.set()
            raise SkynetError("lake_unavailable", "away", 503)

    stop = threading.Event()
    publish(broker, BIDS, list(events(BIDS, 10)))
    ingest = Ingest(Away(lake.root), broker.servers, [BIDS], QUICK, stop=stop)
    with pytest.raises(StoppedError):
        ingest.cycle(wait=False)
    assert ingest.report.retries == 1
    assert lake.open(bronze(BIDS)) is None
