# SPDX-License-Identifier: Apache-2.0
"""A small world to erase from: simulated records, their bronze rows, what was derived of them."""

from __future__ import annotations

import dataclasses
import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from bls.settings import Settings
from bls.settlement.faults import Faults
from bls.settlement.reader import Reader
from bls.settlement.record import RECEIPTS
from pipelines_dagster.defs.market.auctions import draw_auctions, starts
from pipelines_dagster.defs.market.events import write_events
from pipelines_dagster.defs.market.params import mix_of
from pipelines_dagster.defs.market.world import draw_world
from pipelines_dagster.lake.lake import Lake
from pipelines_dagster.settings import PipelineSettings
from tests.pipelines.bronze_of import append, ingest

CONVS = 5
APART_S = 35_000.0


@dataclass(frozen=True)
class World:
    """`conv`: one conversation; `adv`: an advertiser who shares replies with others."""

    settings: PipelineSettings
    lake: Lake
    conv: str
    other: str
    adv: str

    @property
    def logs(self) -> Path:
        return self.settings.serving.logs


def record(logs: Path, seed: int = 7, count: int = CONVS) -> None:
    """Simulated conversations through the real ledger, two or three a day."""
    rng = np.random.default_rng(seed)
    world = draw_world(16, 64, rng)
    auctions = draw_auctions(world, mix_of("train"), count, rng)
    start = starts(count, rng) + APART_S * np.arange(count)
    write_events(logs, auctions, world, seed, start)


def make(state: Path, **options: str) -> World:
    """Bronze, silver and gold tables, log streams and a lake with several commits."""
    settings = PipelineSettings(Settings(state=state, **options))  # type: ignore[arg-type]
    lake = settings.open_lake()
    record(settings.serving.logs)
    ingest(lake, settings.serving.logs, commits=3)
    receipts = list(Reader(settings.serving.logs, Faults()).lines(RECEIPTS))
    conv, other = receipts[1]["conv_id"], receipts[2]["conv_id"]
    adv = receipts[1]["lines"][0]["advertiser"]
    world = World(settings, lake, conv, other, adv)
    _feedback(world, receipts)
    _derived(world, receipts)
    _streams(world)
    return world


def copied(world: World, state: Path) -> World:
    """The same world in another folder."""
    shutil.copytree(world.settings.serving.state, state)
    serving = dataclasses.replace(world.settings.serving, state=state)
    settings = dataclasses.replace(world.settings, serving=serving)
    return dataclasses.replace(world, settings=settings, lake=settings.open_lake())


def _feedback(world: World, receipts: list[dict[str, object]]) -> None:
    lines = [
        {
            "v": 1,
            "ts": receipt["ts"],
            "conv_id": receipt["conv_id"],
            "request_id": receipt["request_id"],
            "advertiser": line["advertiser"],
            "impressions": 1,
            "clicks": 1,
            "dwell_ms": 900,
        }
        for receipt in receipts
        for line in receipt["lines"]  # type: ignore[attr-defined]
    ]
    append(world.lake, "click.logs", lines, 0)


def _derived(world: World, receipts: list[dict[str, object]]) -> None:
    """Silver series named `conv:request`, contexts, and training sets with and without `conv`."""
    names = [f"{r['conv_id']}:{r['request_id']}" for r in receipts]
    convs = [r["conv_id"] for r in receipts]
    count = len(receipts)
    lake = world.lake
    series = pl.DataFrame({"conv_id": names, "log_w": [0.1] * count, "dt": ["2026-01-01"] * count})
    contexts = pl.DataFrame({"conv_id": convs, "ctx_id": range(count)}).cast({"ctx_id": pl.Int32})
    samples = pl.DataFrame({"ctx_id": range(count), "clicks": [1] * count})
    samples = samples.cast({"ctx_id": pl.Int32})
    lake.append("silver/bids", series)
    lake.append("silver/contexts", contexts)
    lake.append("silver/tve_samples", samples)
    for version, part in (("all_01", series), ("some_01", series.filter(~_of(world.conv)))):
        folder = Path(lake.root) / "gold" / "predictor_dataset" / version
        folder.mkdir(parents=True)
        part.write_parquet(folder / "bids.parquet")
        (folder / "dataset.json").write_text(json.dumps({"version": version, "lake": {}}))


def _of(conv: str) -> pl.Expr:
    return pl.col("conv_id").str.starts_with(f"{conv}:")


def _streams(world: World) -> None:
    (world.logs / "mpc.decisions").write_text(
        "".join(
            json.dumps({"conv_id": conv, "token_idx": 1, "advertiser": world.adv, "bid": 0.5})
            + "\n"
            for conv in (world.conv, world.other, f"{world.conv}0")
        )
    )
    (world.logs / "gateway.txt").write_text(f"GET /{world.conv} 200\nGET /{world.conv}0 200\n")


def texts(folder: Path) -> bytes:
    """Everything readable below a folder, Parquet apart."""
    files = [p for p in sorted(folder.rglob("*")) if p.is_file() and p.suffix != ".parquet"]
    return b"\n".join(path.read_bytes() for path in files)
