# SPDX-License-Identifier: Apache-2.0
"""`python -m pipelines_dagster.defs.ingest.soak`: a million events, the process killed at random.

A relay sends all the time, repeating some as after a crash of its own; ingest is killed with
SIGKILL and started again; with `--outage-s` the lake is in an S3 server that goes away for that
long. At the end every event is looked for in the lake.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from bls.events.schema import encode
from pipelines_dagster.defs.ingest.ingest import bronze
from pipelines_dagster.defs.ingest.testbed import child
from pipelines_dagster.defs.ingest.testbed.broker import Broker
from pipelines_dagster.defs.ingest.testbed.events import alike
from pipelines_dagster.defs.ingest.testbed.s3 import KEYS, Store
from pipelines_dagster.lake.lake import Lake

TOPIC = "click.logs"
_BLOCK = 10_000


@dataclass
class Result:
    """Events by what became of them."""

    sent: int
    repeated: int
    rows: int
    distinct: int
    kills: int
    seconds: float

    @property
    def duplicates(self) -> int:
        return self.rows - self.distinct

    @property
    def lost(self) -> int:
        return self.sent - self.distinct


class Relay(threading.Thread):
    """Sends the events in blocks; after every tenth the last thousand come again."""

    def __init__(self, broker: Broker, count: int):
        super().__init__(daemon=True)
        self._broker = broker
        self._count = count
        self.sent = 0
        self.repeated = 0

    def run(self) -> None:
        with self._broker.producer() as producer:
            for first in range(0, self._count, _BLOCK):
                found = alike(TOPIC, min(_BLOCK, self._count - first), first=first)
                block = [(str(e["conv_id"]).encode(), encode(TOPIC, e)) for e in found]
                again = block[-1_000:] if first // _BLOCK % 10 == 9 else []
                for key, message in block + again:
                    producer.send(TOPIC, message, key=key)
                producer.flush()
                self.sent += len(block)
                self.repeated += len(again)


def soak(
    lake: Lake, broker: Broker, count: int, kills: int, away: tuple[Store, float] | None = None
) -> Result:
    """Run it to the end.

    Args:
        kills: each at a moment drawn at random while it works.
        away: a store, and for how many seconds it goes.
    """
    draw = random.Random(1)
    began = time.monotonic()
    relay = Relay(broker, count)
    relay.start()
    done = 0
    outage = threading.Timer(5.0, _outage, away) if away else None
    if outage:
        outage.start()
    options = dict(lake.options)
    while True:
        process = child.start(broker.servers, lake.root, 20_000, [TOPIC], store=options)
        if done < kills:
            assert process.stdout is not None
            for _ in range(draw.randrange(1, 8)):
                process.stdout.readline()
            time.sleep(draw.uniform(0, 2.0))
            process.kill()
            process.communicate()
            done += 1
            _show(done, kills, relay)
            continue
        process.communicate()
        if not relay.is_alive() and process.returncode == 0 and not (outage and outage.is_alive()):
            break
    rows = lake.scan(bronze(TOPIC)).select("event_id", "seq").collect()
    distinct = rows["event_id"].n_unique()
    assert rows["seq"].n_unique() == distinct
    spent = time.monotonic() - began
    return Result(relay.sent, relay.repeated, len(rows), distinct, done, spent)


def _outage(store: Store, seconds: float) -> None:
    store.shut()
    time.sleep(seconds)
    store.open()


def _show(done: int, kills: int, relay: Relay) -> None:
    if sys.stderr.isatty():
        print(f"\r{done} of {kills} kills, {relay.sent:,} sent", end="", file=sys.stderr)


def main(arguments: list[str] | None = None) -> int:
    """Exit status 1 when a row is missing or there twice."""
    parser = argparse.ArgumentParser(prog="soak", description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--outage-s", type=float, default=0.0)
    chosen = parser.parse_args(arguments)
    os.environ.update(KEYS)
    store = Store() if chosen.outage_s else None
    with tempfile.TemporaryDirectory() as folder, Broker([TOPIC]) as broker:
        lake = Lake(store.root, store.options) if store else Lake(str(Path(folder) / "lake"))
        try:
            away = (store, chosen.outage_s) if store else None
            found = soak(lake, broker, chosen.events, chosen.kills, away)
        finally:
            if store:
                store.close()
    table = pl.DataFrame(
        {
            "events": [found.sent],
            "sent again": [found.repeated],
            "kills": [found.kills],
            "outage s": [chosen.outage_s],
            "rows": [found.rows],
            "duplicates": [found.duplicates],
            "lost": [found.lost],
            "seconds": [round(found.seconds, 1)],
        }
    )
    with pl.Config(tbl_hide_dataframe_shape=True, tbl_hide_column_data_types=True):
        print(table)
    return 1 if found.duplicates or found.lost else 0


if __name__ == "__main__":
    sys.exit(main())
