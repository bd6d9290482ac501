# SPDX-License-Identifier: Apache-2.0
"""`silver/lambda_rewards`: what the mix of similarity and value earned, by bucket.

    money  = clicks per impression x val,   val = a CPM + b CPC     (max_reward_optimizer 3.2)
    reward = min(1, money / cap)

Money is not in [0, 1], which a Beta posterior needs: `cap` is the `CAP_QUANTILE` of what clicked
choices earned in the day and the `CAP_DAYS` before it. A day nobody clicked in has no cap (0) and
only rewards of 0. What invalid traffic clicked sets no cap.
"""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from pipelines_dagster.defs.datasets import clicks, schema, validity
from pipelines_dagster.defs.datasets.bronze import PREFIX, day_of
from pipelines_dagster.defs.datasets.recipe import REPLY_S, Frames, Recipe, Source
from pipelines_dagster.lake.partitions import DAY_S

CAP_DAYS = 2
CAP_QUANTILE = 0.99
_SELECT = f"{PREFIX}mro_select"


def build(frames: Frames, day: str) -> pl.DataFrame:
    """The choices of a day, each with its reward."""
    chosen = frames[_SELECT].sort("conv_id", "request_id", "advertiser", "rank")
    share = (pl.col("clicks") / pl.col("impressions").clip(1)).clip(0, 1)
    rows = (
        clicks.attributed(chosen, frames[clicks.TABLE], frames[clicks.RECEIPTS.table])
        .with_columns(
            dt=day_of(pl.col("ts")),
            bucket=pl.col("lambda_sem").round(1),
            money=share * pl.col("val"),
        )
        .collect()
    )
    money = validity.learned(rows.lazy()).collect()["money"]
    earned = money.filter(money > 0)
    cap = 0.0 if earned.is_empty() else float(earned.quantile(CAP_QUANTILE) or 0.0)
    reward = (pl.col("money") / cap).clip(0, 1) if cap else pl.lit(0.0)
    return rows.filter(pl.col("dt") == day).with_columns(cap=pl.lit(cap), reward=reward)


RECIPE = Recipe(
    "silver/lambda_rewards",
    (
        Source(_SELECT, ahead_s=CAP_DAYS * DAY_S),
        Source(
            clicks.TABLE,
            back_s=clicks.ATTRIBUTION_S,
            ahead_s=CAP_DAYS * DAY_S + REPLY_S,
            needed=False,
        ),
        replace(clicks.RECEIPTS, ahead_s=CAP_DAYS * DAY_S + REPLY_S),
    ),
    schema.LAMBDA_REWARDS,
    ("conv_id", "request_id", "advertiser", "rank"),
    build,
    "What the mix of similarity and value earned, by bucket.",
)
