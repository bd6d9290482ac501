# SPDX-License-Identifier: Apache-2.0
"""`silver/click_pairs`: of two creatives in one context, the clicked one and the other.

What a preference-trained adapter (DPO) learns from. Two showings make a pair when they are of one
conversation, or of one context cluster with contexts of a cosine of at least `ALIKE`. A clicked
showing is in at most `MOST` pairs of each kind, so the work is linear in the showings.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from pipelines_dagster.defs.datasets import contexts, samples, schema, validity
from pipelines_dagster.defs.datasets.recipe import REPLY_S, Frames, Recipe, Source

ALIKE = 0.8
MOST = 2

_SHOWING = ("conv_id", "request_id", "advertiser", "ctx_key", "ad_key", "ts")
_CONTEXTS, _SAMPLES = contexts.RECIPE.table, samples.RECIPE.table


def build(frames: Frames, day: str) -> pl.DataFrame:
    """Pairs among the valid showings of a day of which at least one token was delivered."""
    showings = (
        validity.learned(frames[_SAMPLES])
        .filter(pl.col("delivered") > 0)
        .select(*_SHOWING, "cluster", "clicks", "dt")
        .sort("conv_id", "request_id", "advertiser")
        .collect()
    )
    both = [_paired(showings, group) for group in ("conv_id", "cluster")]
    pairs = pl.concat(both).unique(_KEY, keep="first", maintain_order=True)
    known = (
        frames[_CONTEXTS]
        .filter(pl.col("ctx_key").is_in(showings["ctx_key"].unique().implode()))
        .unique("ctx_key")
        .collect()
    )
    pairs = pairs.with_columns(_cosine(pairs, known))
    return pairs.filter((pl.col("scope") == "conversation") | (pl.col("cosine") >= ALIKE))


def _paired(showings: pl.DataFrame, group: str) -> pl.DataFrame:
    """The i-th clicked showing of a group with its (i + j)-th other one, j < MOST."""
    place = pl.int_range(pl.len()).over(group)
    clicked = showings.filter(pl.col("clicks") > 0).with_columns(place=place)
    others = (
        showings.filter(pl.col("clicks") == 0)
        .with_columns(at=place, many=pl.len().over(group))
        .select(pl.all().name.prefix("rejected_"))
    )
    counts = others.select(pl.col(f"rejected_{group}").alias(group), "rejected_many").unique()
    step = pl.DataFrame({"step": range(MOST)})
    wanted = (
        clicked.join(counts, on=group, how="inner")
        .join(step, how="cross")
        .with_columns(rejected_at=(pl.col("place") + pl.col("step")) % pl.col("rejected_many"))
    )
    scope = "conversation" if group == "conv_id" else "cluster"
    keys = [group, "rejected_at"]
    found = wanted.join(
        others.drop("rejected_many"), left_on=keys, right_on=[f"rejected_{group}", "rejected_at"]
    )
    if group == "conv_id":
        found = found.with_columns(rejected_conv_id=pl.col("conv_id"))
    return (
        found.filter(pl.col("ad_key") != pl.col("rejected_ad_key"))
        .with_columns(scope=pl.lit(scope))
        .rename({"ad_key": "chosen", "rejected_ad_key": "rejected"})
        .select(*_COLUMNS, "rejected_ctx_key")
        .unique(_KEY, keep="first", maintain_order=True)
    )


def _cosine(pairs: pl.DataFrame, known: pl.DataFrame) -> pl.Series:
    vectors = contexts.vectors(known["ctx_vec"])
    place = {key: at for at, key in enumerate(known["ctx_key"].to_list())}
    left, right = (
        vectors[[place[key] for key in pairs[column].to_list()]]
        for column in ("ctx_key", "rejected_ctx_key")
    )
    return pl.Series("cosine", np.einsum("nd,nd->n", left, right), pl.Float32)


_COLUMNS = [name for name in schema.CLICK_PAIRS if name != "cosine"]
_KEY = ["conv_id", "request_id", "advertiser"]
_KEY += [f"rejected_{name}" for name in _KEY]

RECIPE = Recipe(
    "silver/click_pairs",
    (Source(_SAMPLES), Source(_CONTEXTS, back_s=REPLY_S, ahead_s=REPLY_S)),
    schema.CLICK_PAIRS,
    tuple(_KEY),
    build,
    "Of two creatives in one context, the clicked one and the other.",
)
