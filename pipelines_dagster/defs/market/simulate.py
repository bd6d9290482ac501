# SPDX-License-Identifier: Apache-2.0
"""One call that draws a market and writes it as a dataset."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from bls.errors import invalid
from pipelines_dagster.defs.market import readers
from pipelines_dagster.defs.market.auctions import draw_auctions, starts, tables
from pipelines_dagster.defs.market.dataset import CARD, write_tables
from pipelines_dagster.defs.market.feedback import draw_feedback
from pipelines_dagster.defs.market.params import SCENARIOS, mix_of, shifted
from pipelines_dagster.defs.market.schema import ADS, CONTEXTS
from pipelines_dagster.defs.market.world import World, draw_world

VERSION = 1
_CHUNK = 512

Progress = Callable[[int], None]


@dataclass(frozen=True)
class Size:
    """How much is drawn.

    Attributes:
        conversations: bid series, of 24 to 64 tokens and up to 8 advertisers each.
        pairs: (context, creative) pairs that readers saw, at up to `lengths` delivered lengths.
    """

    conversations: int = 2_000
    contexts: int = 1_500
    ads: int = 640
    pairs: int = 16_000
    lengths: int = 4

    def __post_init__(self) -> None:
        if min(asdict(self).values()) < 1:
            raise invalid("bad_size", "Every size of a dataset is at least 1.")


def simulate(
    out: Path,
    seed: int,
    size: Size | None = None,
    scenario: str = "train",
    *,
    shift: bool = False,
    world: World | None = None,
    progress: Progress = lambda done: None,
) -> dict[str, Any]:
    """Write a dataset to `out`; its card, as in `dataset.json`.

    Args:
        seed: fixes every number; another seed is another sample of the same world.
        scenario: a mix of `params.MIXES`.
        shift: bidders' parameters outside the training ranges.
        world: contexts and creatives; drawn from the topic model by default.
        progress: told how many conversations were drawn since the last call.

    Raises:
        SkynetError: `unknown_scenario`.
    """
    began = time.perf_counter()
    size = size or Size()
    mix = mix_of(scenario)
    streams = [np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(4)]
    source = "texts" if world else "topics"
    world = world or draw_world(size.contexts, size.ads, streams[0])
    feedback = draw_feedback(world, size.pairs, size.lengths, streams[1])
    opened = starts(size.conversations, streams[3])
    bids, truth = [], []
    for first in range(0, size.conversations, _CHUNK):
        count = min(_CHUNK, size.conversations - first)
        auctions = draw_auctions(world, mix, count, streams[2], shift=shift)
        rows = tables(auctions, world, seed, first, opened[first : first + count])
        bids.append(rows[0])
        truth.append(rows[1])
        progress(count)
    all_bids, all_truth = pl.concat(bids), pl.concat(truth)
    files = write_tables(
        out,
        {
            "contexts": _contexts(world),
            "ads": _ads(world),
            "bids": all_bids,
            "tve_samples": feedback.samples,
            "truth/bids": all_truth,
            "truth/tve": feedback.tve_truth,
            "truth/samples": feedback.samples_truth,
        },
    )
    card = {
        "version": VERSION,
        "seed": seed,
        "source": source,
        "scenario": scenario,
        "shifted": shift,
        "mix": mix,
        "size": asdict(size),
        "bidders": {n: asdict(shifted(SCENARIOS[n]) if shift else SCENARIOS[n]) for n in mix},
        "readers": _reader_constants(world),
        "irreducible": {
            "log_w": irreducible(all_bids, all_truth),
            "tve_r2": feedback.irreducible_r2,
        },
        "rows": {"bids": all_bids.height, "tve_samples": feedback.samples.height},
        "files": files,
    }
    (out / CARD).write_text(json.dumps(card, indent=2) + "\n")
    return card | {"seconds": time.perf_counter() - began}


def irreducible(bids: pl.DataFrame, truth: pl.DataFrame) -> dict[str, dict[str, float]]:
    """Per scenario and over all: RMSE of the law's mean, its mean sd, rows. Alone rows are left
    out: their W_-i is the floor and known."""
    rows = (
        bids.filter(pl.col("token_idx") >= 0)
        .with_columns(truth["mean_log_w", "sd_log_w", "scenario"])
        .filter(pl.col("sd_log_w") > 0)
    )
    figures = (
        ((pl.col("log_w") - pl.col("mean_log_w")) ** 2).mean().sqrt().alias("rmse"),
        (pl.col("sd_log_w") ** 2).mean().sqrt().alias("expected_rmse"),
        pl.len().alias("rows"),
    )
    every = rows.select(figures).to_dicts()[0]
    by_scenario = rows.group_by("scenario").agg(figures).sort("scenario").to_dicts()
    return {"all": every, **{row.pop("scenario"): row for row in by_scenario}}


def _reader_constants(world: World) -> dict[str, float]:
    return {
        "impressions": readers.READERS,
        "agents": readers.AGENTS,
        "agent_clicks": readers.AGENT_CLICKS,
        "a_cpm": readers.A_CPM,
        "b_cpc": readers.B_CPC,
        "cosine_middle": world.scale.middle,
        "cosine_width": world.scale.width,
    }


def _contexts(world: World) -> pl.DataFrame:
    ids = np.arange(len(world.ctx))
    return pl.DataFrame({"ctx_id": ids, "ctx_vec": world.ctx}).cast(pl.Schema(CONTEXTS))


def _ads(world: World) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "ad_id": np.arange(len(world.ad)),
            "advertiser": [world.advertisers[place] for place in world.owner],
            "text": world.texts,
            "ad_vec": world.ad,
            "cpm": world.cpm,
            "cpc": world.cpc,
        }
    ).cast(pl.Schema(ADS))
