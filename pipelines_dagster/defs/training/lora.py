# SPDX-License-Identifier: Apache-2.0
"""`models/lora`: a rank-64 adapter of the served LLM from the lake's click pairs, by DPO.

The lake keeps no words of readers, so a pair from it is two creatives after a question that says
nothing of the chat; simulated pairs, which have a question of their own, are mixed in so that the
adapter still listens. Source: content_generation 2.2.2 ("LoRA Fine-Tune": 10,000 new click pairs
or weekly, beta 0.1, reward log(1 + click)). What it makes is named by `/cg/lora`, by an operator.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
import polars as pl

from bls.errors import SkynetError
from export.llm.sources import AUTO
from export.lora.pairs import Pair, simulated_pairs
from pipelines_dagster.defs.datasets import validity
from pipelines_dagster.defs.training.trainer import Job, Made, Trainer
from pipelines_dagster.lake.lake import Lake

TABLE, SHOWINGS, ADS = "silver/click_pairs", "silver/tve_samples", "silver/ads"
ASKED = "What would you recommend?"
LEAST = 8


@dataclass(frozen=True)
class Profile:
    """`pairs`: from the lake at most, the newest; `simulated`: added to them."""

    pairs: int
    simulated: int
    steps: int
    batch: int
    learning_rate: float
    rank: int = 64


PROFILES = {
    "full": Profile(pairs=10_000, simulated=2_000, steps=1_500, batch=8, learning_rate=1e-4),
    "quick": Profile(pairs=40, simulated=20, steps=12, batch=2, learning_rate=5e-4),
}
SOURCE = AUTO
"""The LLM that is tuned: the one that is exported by default."""

_KEY = ["conv_id", "request_id", "advertiser"]


def lake_pairs(lake: Lake, most: int) -> list[Pair]:
    """The newest pairs of valid showings, with both texts. Raises `no_data` under `LEAST`."""
    if any(lake.open(table) is None for table in (TABLE, SHOWINGS, ADS)):
        raise SkynetError("no_data", "The lake has no click pairs.", 409)
    clicks = validity.learned(lake.scan(SHOWINGS)).group_by(_KEY).agg(pl.col("clicks").sum())
    texts = lake.scan(ADS).sort("ts").unique("ad_key", keep="last").select("ad_key", "text")
    rows = (
        lake.scan(TABLE)
        .sort("dt", *_KEY, descending=[True, False, False, False])
        .join(clicks, on=_KEY, how="inner", maintain_order="left")
        .join(texts, left_on="chosen", right_on="ad_key", how="inner", maintain_order="left")
        .join(
            texts.rename({"text": "other"}),
            left_on="rejected",
            right_on="ad_key",
            how="inner",
            maintain_order="left",
        )
        .filter(pl.col("clicks") > 0)
        .select("text", "other", "clicks")
        .head(most)
        .collect()
    )
    if len(rows) < LEAST:
        raise SkynetError("no_data", "The lake has too few click pairs.", 409)
    return [Pair(ASKED, text, other, (float(n), 0.0)) for text, other, n in rows.rows()]


def run(job: Job) -> Made:
    """Raises `no_data`, or what `export.lora.fine_tune.fine_tune` raises."""
    profile = PROFILES[job.profile]
    pairs = lake_pairs(job.lake, profile.pairs)
    pairs += simulated_pairs(profile.simulated, job.seed)
    from export.lora.dpo import DPOConfig  # noqa: PLC0415  (seconds to import)
    from export.lora.fine_tune import Recipe, fine_tune  # noqa: PLC0415

    config = DPOConfig(
        rank=profile.rank,
        alpha=float(profile.rank),
        learning_rate=profile.learning_rate,
        steps=profile.steps,
        batch=profile.batch,
    )
    recipe = Recipe(SOURCE, config, job.seed, created_by="models/lora")
    done = fine_tune(_mixed(pairs, job.seed), recipe, job.settings.serving.cache, job.out / "model")
    table = job.lake.open(TABLE)
    version = 0 if table is None else int(table.version())
    params = asdict(profile) | {"table": TABLE, "table_version": version, "beta": config.beta}
    params[validity.LEFT_OUT] = validity.left_out(job.lake.scan(SHOWINGS))
    return Made(done.folder, done.metrics, params)


def _mixed(pairs: list[Pair], seed: int) -> list[Pair]:
    """Shuffled, so that the held-out part has both kinds."""
    return [pairs[i] for i in np.random.default_rng([seed, 7]).permutation(len(pairs))]


TRAINER = Trainer("lora", run, gold="", sla_s=2 * 3600)
