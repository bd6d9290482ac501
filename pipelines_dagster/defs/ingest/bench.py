# SPDX-License-Identifier: Apache-2.0
"""`python -m pipelines_dagster.defs.ingest.bench`: rows a second, and where the time goes.

commit   Parquet-ready batches to committed Delta rows, on one core (the process and all its
         threads are pinned to it), beside bare Parquet of the same rows
path     Kafka to lake: poll, decode, leave out duplicates, hash, write; beside a bare poll
linear   cost of a commit while a table grows
retire   days dropped and their files removed, megabytes a second
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from bls.events.schema import encode
from bls.events.topics import TOPICS
from pipelines_dagster.defs.ingest.decode import Batch, decode
from pipelines_dagster.defs.ingest.ingest import Ingest, bronze
from pipelines_dagster.defs.ingest.limits import IngestLimits
from pipelines_dagster.defs.ingest.marks import fresh, seq_names
from pipelines_dagster.defs.ingest.source import Source
from pipelines_dagster.defs.ingest.testbed.broker import Broker
from pipelines_dagster.defs.ingest.testbed.events import events
from pipelines_dagster.lake.content import content_sha256
from pipelines_dagster.lake.lake import Lake
from pipelines_dagster.lake.layout import ZSTD

BIDS = "auction.bids"
BATCH = 50_000


def messages(topic: str, count: int) -> list[tuple[bytes, bytes]]:
    """Keys and messages."""
    return [(str(e[TOPICS[topic].lead]).encode(), encode(topic, e)) for e in events(topic, count)]


def batch_of(topic: str, found: list[tuple[bytes, bytes]]) -> Batch:
    count = np.arange(len(found))
    return Batch(
        topic, [value for _, value in found], (count % 4).astype(np.int32), count // 4, count
    )


def shifted(rows: pl.DataFrame, by: int) -> pl.DataFrame:
    """The rows as if they came later: other ids, other numbers."""
    return rows.with_columns(
        pl.col("seq") + by,
        pl.col("kafka_offset") + by,
        (pl.col("event_id") + f":{by}").alias("event_id"),
    )


Spent = dict[str, tuple[float, float]]
"""Seconds by the clock and of this process's threads, by name."""


@contextmanager
def timed(into: Spent, name: str) -> Iterator[None]:
    clock, cpu = time.perf_counter(), time.process_time()
    yield
    before = into.get(name, (0.0, 0.0))
    into[name] = (
        before[0] + time.perf_counter() - clock,
        before[1] + time.process_time() - cpu,
    )


def rates(spent: Spent, count: int) -> list[dict[str, Any]]:
    """Rows a second; of CPU time is what counts where others use the machine."""
    return [
        {"what": name, "rows/s": int(count / clock), "rows/CPU s": int(count / cpu)}
        for name, (clock, cpu) in spent.items()
    ]


def commit(folder: Path) -> list[dict[str, Any]]:
    """Rows/s of `Lake.append` with progress and origin, beside Parquet files alone."""
    rows = decode(batch_of(BIDS, messages(BIDS, BATCH))).rows
    parts = [shifted(rows, at) for at in range(0, 6 * BATCH, BATCH)]
    lake = Lake(str(folder / "commit"))
    spent: Spent = {}
    for at, part in enumerate(parts):
        with timed(spent, "committed to Delta"):
            lake.append("bronze/x", part, progress={"p": at + 1}, after={"p": at or None})
        with timed(spent, "bare Parquet, zstd 9"):
            path = folder / f"{at}.parquet"
            part.write_parquet(path, compression="zstd", compression_level=ZSTD)
        with timed(spent, "content hash"):
            content_sha256(part)
    count = len(parts) * BATCH
    size = sum(p.stat().st_size for p in Path(lake.uri("bronze/x")).rglob("*.parquet"))
    return [found | {"bytes/row": size // count} for found in rates(spent, count)]


def path(folder: Path, topic: str = BIDS, count: int = 100_000) -> list[dict[str, Any]]:
    """The whole path with its split, each step alone too."""
    found = messages(topic, count)
    spent: Spent = {}
    with Broker([topic]) as broker:
        with broker.producer() as producer:
            for key, value in found:
                producer.send(topic, value, key=key)
        source = Source(broker.servers, [topic])
        source.seek(dict.fromkeys(source.places, 0))
        with timed(spent, "poll"):
            taken = source.poll(count, 60.0, False, threading.Event())[topic]
        source.close()
        with timed(spent, "decode"):
            rows = decode(taken).rows
        with timed(spent, "leave out duplicates"):
            fresh(topic, rows, dict.fromkeys(seq_names(topic, rows)))
        with timed(spent, "content hash"):
            content_sha256(rows)
        with timed(spent, "write"):
            Lake(str(folder / "alone")).append(bronze(topic), rows)
        ingest = Ingest(
            Lake(str(folder / "path")), broker.servers, [topic], IngestLimits(BATCH, 10.0)
        )
        with timed(spent, "whole path"):
            while not ingest.cycle(wait=False).caught_up:
                pass
        ingest.close()
    assert ingest.report.rows == count
    return rates(spent, count)


def linear(folder: Path, millions: int) -> list[dict[str, Any]]:
    """Seconds a million rows take as the table grows to `millions`, in commits of `BATCH`."""
    rows = decode(batch_of(BIDS, messages(BIDS, BATCH))).rows
    lake = Lake(str(folder / "linear"))
    shown = []
    for million in range(1, millions + 1):
        spent: Spent = {}
        for at in range(1_000_000 // BATCH):
            number = (million - 1) * 1_000_000 // BATCH + at
            part = shifted(rows, number * BATCH)
            with timed(spent, "all"):
                after = {"p": number or None}
                lake.append("bronze/x", part, progress={"p": number + 1}, after=after)
        if million in (1, 3, millions):
            clock, cpu = spent["all"]
            shown.append({"million": million, "s": round(clock, 2), "CPU s": round(cpu, 2)})
    return shown


def retire(folder: Path) -> list[dict[str, Any]]:
    """Dropping 20 days of 21 and removing their files."""
    rows = decode(batch_of(BIDS, messages(BIDS, 20_000))).rows
    lake = Lake(str(folder / "retire"))
    for day in range(1, 22):
        lake.append("bronze/x", rows.with_columns(pl.lit(f"2026-01-{day:02}").alias("dt")))
    old = [f for f in Path(lake.uri("bronze/x")).glob("dt=*/*.parquet") if "01-21" not in str(f)]
    for file in old:  # what is in them is never read: make them of a real size
        os.truncate(file, 64 * 2**20)
    size = sum(file.stat().st_size for file in old)
    spent: Spent = {}
    with timed(spent, "drop"):
        lake.drop_partitions("bronze/x", date(2026, 1, 21))
    with timed(spent, "vacuum"):
        lake.vacuum("bronze/x", 0)
    took = sum(clock for clock, _ in spent.values())
    return [{"days": 20, "MB": size // 10**6, "s": round(took, 3), "MB/s": int(size / took / 1e6)}]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("parts", nargs="*", help="default: commit path retire")
    parser.add_argument("--millions", type=int, default=10, help="of `linear`")
    chosen = parser.parse_args(arguments)
    known: dict[str, Callable[[Path], list[dict[str, Any]]]] = {
        "commit": commit,
        "path": path,
        "linear": lambda folder: linear(folder, chosen.millions),
        "retire": retire,
    }
    for name in chosen.parts or ["commit", "path", "retire"]:
        if name not in known:
            parser.error(f"no part {name}")
        if name in ("commit", "linear"):
            os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        with tempfile.TemporaryDirectory() as folder:
            found = known[name](Path(folder))
        print(f"\n{name}; load {os.getloadavg()[0]:.1f}")
        with pl.Config(tbl_hide_dataframe_shape=True, tbl_hide_column_data_types=True):
            print(pl.DataFrame(found))
        os.sched_setaffinity(0, range(os.cpu_count() or 1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
