# SPDX-License-Identifier: Apache-2.0
"""`silver/ads`: the creatives of each day, what a unit of response was worth, and their vectors.

A creative is on every day it was shown, so it disappears with the last day that had it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial

import numpy as np
import polars as pl
from numpy.typing import NDArray

from bls.brain.context.encoder import ContextEncoder
from pipelines_dagster.defs.datasets import schema
from pipelines_dagster.defs.datasets.bronze import day_of
from pipelines_dagster.defs.datasets.contexts import FEEDBACK, digests
from pipelines_dagster.defs.datasets.recipe import Frames, Recipe, Source

Encode = Callable[[list[str]], NDArray[np.float32]]
"""Texts to unit vectors f32 [n, 128]."""


def build(frames: Frames, day: str, encode: Encode) -> pl.DataFrame:
    """One row a creative that was shown on that day."""
    shown = (
        frames[FEEDBACK]
        .select("advertiser", "ts", "rate", "row", "request_id", text=pl.col("creative"))
        .sort("ts", "request_id", "row")
        .group_by("advertiser", "text")
        .agg(pl.col("ts", "rate").last())
        .sort("advertiser", "text")
        .collect()
    )
    vectors = encode(shown["text"].to_list()) if len(shown) else np.empty((0, 0), np.float32)
    return shown.with_columns(
        pl.Series("ad_key", ad_keys(shown), pl.String),
        pl.Series("ad_vec", vectors.tolist(), schema.F32_LIST),
        dt=day_of(pl.col("ts")),
    )


def ad_keys(rows: pl.DataFrame, text: str = "text") -> list[str]:
    """16 hex digits that name an advertiser's creative."""
    return digests(f"{owner}\0{said}".encode() for owner, said in rows[["advertiser", text]].rows())


def served_encoder(texts: list[str]) -> NDArray[np.float32]:
    """The context encoder that is served, in this process."""
    return _encoder().encode(texts)


@cache
def _encoder() -> ContextEncoder:
    return ContextEncoder()


def recipe(encode: Encode = served_encoder) -> Recipe:
    """The table with vectors from `encode`."""
    return Recipe(
        "silver/ads",
        (Source(FEEDBACK),),
        schema.ADS,
        ("advertiser", "ad_key"),
        partial(build, encode=encode),
        "The creatives of each day, what they were worth, and their vectors.",
    )
