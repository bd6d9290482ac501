# SPDX-License-Identifier: Apache-2.0
"""A lake with simulated traffic in its bronze tables."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from bls.events.topics import TOPICS
from pipelines_dagster.defs.datasets.bronze import as_bronze
from pipelines_dagster.defs.market.as_events import Streams, Traffic, simulate_events
from pipelines_dagster.defs.market.auctions import START
from pipelines_dagster.defs.market.world import World, draw_world
from pipelines_dagster.lake.lake import Lake

MIDNIGHT = START + 86_400.0
"""2025-01-02, Unix seconds."""


@cache
def world() -> World:
    return draw_world(24, 64, np.random.default_rng(5))


def encode(texts: list[str]) -> NDArray[np.float32]:
    """The vectors that the world drew for its creatives."""
    known = dict(zip(world().texts, world().ad, strict=True))
    return np.stack([known[text] for text in texts])


def traffic(
    seed: int = 1, count: int = 40, *, start: float = START, gap_s: float = 60.0
) -> Streams:
    streams = simulate_events(Traffic(seed, count, start=start, gap_s=gap_s), world())
    return streams | {"session.events": visits(seed, count, start, gap_s)}


def visits(seed: int, count: int, start: float, gap_s: float) -> pl.DataFrame:
    """Sessions of the shop, two acts each, the second told twice, and every other one labelled."""
    told = []
    for number in range(count):
        place = {"session_id": f"visit_{seed}_{number}", "mode": "hotel", "dwell_ms": 0}
        acts = [("e-1", "page_view"), ("e-2", "sort"), ("e-2", "sort")]
        rows = [
            *({"kind": "act", "event_id": name, "action": action} for name, action in acts),
            *([{"kind": "label", "event_id": "~1", "action": ""}] if number % 2 else []),
        ]
        for at, row in enumerate(rows):
            ts = start + number * gap_s + at
            said = row["kind"] == "label"
            told.append(
                {
                    **place,
                    **row,
                    "ts": ts,
                    "ts_ms": int(ts * 1000),
                    "label": "agent" if said else "unknown",
                    "origin": "operator" if said else "",
                    "agent_probability": 0.5 if at else math.nan,
                }
            )
    texts = ("raw_action", "item", "meta", "experiment", "condition", "actor", "user_agent")
    return pl.DataFrame(told).with_columns(
        pl.lit("").alias(name) for name in (*texts, "agent_version")
    )


def pour(
    lake: Lake,
    streams: Streams,
    *,
    only: Iterable[str] | None = None,
    keep: Callable[[pl.DataFrame], pl.DataFrame] = lambda lines: lines,
    seq: int = 0,
) -> None:
    """Append streams to the bronze tables as ingest would."""
    for topic in only or streams:
        rows = as_bronze(topic, keep(streams[topic]), "sim", seq)
        if len(rows):
            lake.append(f"bronze/{TOPICS[topic].table}", rows)


def lake_of(folder: Path, streams: Streams) -> Lake:
    lake = Lake(str(folder / "lake"))
    pour(lake, streams)
    return lake


def rows(lake: Lake, table: str) -> pl.DataFrame:
    """All rows of a silver table, in one order."""
    found = lake.scan(table).collect()
    keys = [n for n in found.columns if found.schema[n] in (pl.String, pl.Int16, pl.Float64)]
    return found.sort(keys)
