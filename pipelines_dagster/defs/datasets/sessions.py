# SPDX-License-Identifier: Apache-2.0
"""`silver/sessions`: what visitors of the shop did, one row an act, each once, in its order.

An act that was told twice, by a client that was not sure or through another gateway, is the first
telling. Who acted is a session's last label, said up to a day after the act: an act that says
`unknown` says nothing of it, only a label line takes a label back. What a driver once said it made
is `synthetic` for good.
"""

from __future__ import annotations

import polars as pl

from pipelines_dagster.defs.datasets import schema
from pipelines_dagster.defs.datasets.bronze import PREFIX, day_of
from pipelines_dagster.defs.datasets.recipe import Frames, Recipe, Source

TABLE = f"{PREFIX}session_events"
PRICES = f"{PREFIX}session_prices"
LABEL_S = 86_400.0
"""How long after an act its session may be labelled, and how long an act may be told again."""

SYNTHETIC, UNKNOWN = "synthetic", "unknown"
_STANDING = ("label", "origin", "actor")


def build(frames: Frames, day: str) -> pl.DataFrame:
    """The acts of that day, by session and as they came."""
    told = frames[TABLE].sort("ts", "source", "seq")
    acts = (
        told.filter(pl.col("kind") != "label")
        .unique("event_id", keep="first", maintain_order=True)
        .with_columns(dt=day_of(pl.col("ts")))
        .filter(pl.col("dt") == day)
        .drop(*_STANDING)
    )
    return acts.join(standing(told), on="session_id", how="left").collect()


def standing(told: pl.LazyFrame) -> pl.LazyFrame:
    """Label, origin and actor of every session; `told` is in order."""
    made = pl.col("label") == SYNTHETIC
    says = (pl.col("label") != UNKNOWN) | (pl.col("kind") == "label")
    last = [
        pl.when(made.any())
        .then(pl.col(name).filter(made).last())
        .when(says.any())
        .then(pl.col(name).filter(says).last())
        .otherwise(pl.col(name).last())
        for name in _STANDING
    ]
    return told.group_by("session_id").agg(
        one.alias(name) for one, name in zip(last, _STANDING, strict=True)
    )


RECIPE = Recipe(
    "silver/sessions",
    (Source(TABLE, back_s=LABEL_S, ahead_s=LABEL_S),),
    schema.SESSIONS,
    ("session_id", "ts", "seq", "event_id"),
    build,
    "What visitors of the shop did, with who they are as far as that is known.",
)
