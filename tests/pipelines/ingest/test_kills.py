# SPDX-License-Identifier: Apache-2.0
"""Killed at every step, and at random: every row is in the lake once."""

from __future__ import annotations

import random
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from bls.events.schema import encode
from pipelines_dagster.defs.ingest.ingest import STEPS, bronze
from pipelines_dagster.defs.ingest.origin import holes
from pipelines_dagster.defs.ingest.testbed import child
from pipelines_dagster.defs.ingest.testbed.broker import Broker
from pipelines_dagster.defs.ingest.testbed.events import alike
from pipelines_dagster.defs.ingest.testbed.s3 import PASS, REFUSE, Store
from pipelines_dagster.lake.lake import Lake

BIDS, CLICKS = "auction.bids", "click.logs"
SENT = {BIDS: 4_000, CLICKS: 16_000}
REPEATED = 200


@pytest.fixture(scope="module")
def filled() -> Iterator[Broker]:
    """20,000 events in two topics, some sent twice, and a few messages that are none."""
    with Broker([BIDS, CLICKS]) as broker:
        with broker.producer() as producer:
            for topic, count in SENT.items():
                found = [(e["conv_id"], encode(topic, e)) for e in alike(topic, count)]
                for conv, message in found[:-REPEATED] + found[-2 * REPEATED :]:
                    producer.send(topic, message, key=str(conv).encode())
                producer.send(topic, b"junk", key=b"junk")
        yield broker


def check(lake: Lake, topics: dict[str, int]) -> None:
    """Nothing lost, nothing twice, no hole in the offsets."""
    for topic, count in topics.items():
        rows = lake.scan(bronze(topic)).select("seq", "event_id", "kafka_partition", "kafka_offset")
        found = rows.collect()
        assert found["seq"].sort().to_list() == list(range(count)), topic
        assert found["event_id"].n_unique() == count
        assert found.select(pl.struct("kafka_partition", "kafka_offset").n_unique()).item() == count
        if not lake.remote:  # reading a log holds the interpreter, which the store's gate needs
            assert holes(lake.origins(bronze(topic))) == []
    assert lake.scan("bronze/dead_letters").collect().height == len(topics)


def finish(process: subprocess.Popen[str]) -> None:
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0, out


def test_killed_at_every_step_and_at_random(filled: Broker, lake: Lake, tmp_path: Path) -> None:
    draw = random.Random(3)
    kills = 0
    for number, step in enumerate((*STEPS, child.WRITTEN)):
        process = child.start(
            filled.servers, lake.root, 700, SENT, die=step, nth=1 + number % 2, told=str(tmp_path)
        )
        process.communicate(timeout=60)
        assert process.returncode == -signal.SIGKILL, step
        kills += 1
    while kills < len(STEPS) + 1 + 5:
        process = child.start(filled.servers, lake.root, 400, SENT, told=str(tmp_path))
        assert process.stdout is not None
        for _ in range(draw.randrange(2, 12)):
            process.stdout.readline()
        time.sleep(draw.random() * 0.02)
        process.kill()
        process.communicate()
        kills += 1
    finish(child.start(filled.servers, lake.root, 5_000, SENT, told=str(tmp_path)))
    check(lake, SENT)


def test_killed_between_the_files_and_the_log_entry(filled: Broker, store: Store) -> None:
    """The store has the Parquet file and holds back the request that would commit it."""
    lake = Lake(f"{store.root}/killed", store.options)
    running: list[subprocess.Popen[str]] = []
    seen: list[str] = []

    def rule(method: str, path: str) -> str:
        if method == "PUT" and path.endswith(".parquet") and CLICKS.replace(".", "_") in path:
            seen.append(path)
        if method == "PUT" and seen and "click_logs/_delta_log" in path and running:
            running.pop().kill()
            return REFUSE
        return PASS

    store.rule = rule
    start = (filled.servers, lake.root, 20_000, [CLICKS])
    process = child.start(*start, store=dict(store.options))
    running.append(process)
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    assert seen
    store.open()
    assert lake.scan(bronze(CLICKS)).collect().height == 0
    finish(child.start(*start, store=dict(store.options)))
    check(lake, {CLICKS: SENT[CLICKS]})
