# SPDX-License-Identifier: Apache-2.0
"""A log folder as ingest would leave it in the lake, without a broker in between."""

from __future__ import annotations

import base64
import json
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl

from bls.events.topics import TOPICS
from bls.settlement.faults import Faults
from bls.settlement.reader import Reader
from bls.settlement.record import BIDS, RECEIPTS, VCG
from pipelines_dagster.lake.lake import Lake

TYPES: dict[str, Any] = {
    "advertisers": pl.List(pl.String),
    "lines": pl.List(
        pl.Struct(
            {
                "advertiser": pl.String,
                "row": pl.Int32,
                "bid": pl.Float64,
                "mean_bid": pl.Float64,
                "tokens_influenced": pl.Int32,
                "tokens_dropped": pl.Int32,
                "pay_micros": pl.Int64,
                "critical_bid_micros": pl.Int64,
                "charge_micros": pl.Int64,
            }
        )
    ),
    "weights": pl.List(pl.Float32),
    "w_minus": pl.List(pl.Float32),
    "pay": pl.List(pl.Float64),
    "critical_bid": pl.List(pl.Float64),
    "p_token": pl.List(pl.Float64),
    "row_status": pl.List(pl.Int32),
    "log_z": pl.List(pl.Float64),
    "seed": pl.Int64,
    "conv": pl.Int64,
    "top_id": pl.Binary,
    "top_logit": pl.Binary,
}


def day_of(ts: float) -> str:
    return datetime.fromtimestamp(ts, UTC).strftime("%Y-%m-%d")


def ingest(lake: Lake, logs: Path, commits: int = 1) -> None:
    """Append every billing record of `logs`, in so many commits, offsets noted with each."""
    for stream in (BIDS, VCG, RECEIPTS):
        lines = list(Reader(logs, Faults()).lines(stream))
        size = -(-len(lines) // commits)
        for begin in range(0, len(lines), size):
            append(lake, stream, lines[begin : begin + size], begin)


def append(lake: Lake, topic: str, lines: list[dict[str, Any]], offset: int, **note: str) -> None:
    """One commit of one partition, `lines` at offsets from `offset`."""
    table = TOPICS[topic].table
    rows: defaultdict[str, list[Any]] = defaultdict(list)
    for number, line in enumerate(lines, offset):
        key = [str(line[name]) for name in (*TOPICS[topic].about, *TOPICS[topic].key)]
        extra = {
            "event_id": ":".join(key),
            "source": "test",
            "seq": number,
            "kafka_partition": 0,
            "kafka_offset": number,
            "dt": day_of(line["ts"]),
        }
        for name, value in (line | extra).items():
            binary = name in ("top_id", "top_logit")
            rows[name].append(base64.b64decode(value) if binary else value)
    schema = {name: kind for name, kind in TYPES.items() if name in rows}
    frame = pl.DataFrame(dict(rows), schema_overrides=schema)
    offsets = json.dumps({"0": [offset, offset + len(lines)]})
    lake.append(
        f"bronze/{table}",
        frame,
        progress={f"{topic}:0": offset + len(lines)},
        origin={"topic": topic, "cluster": "c1", "ranges": offsets} | note,
    )
