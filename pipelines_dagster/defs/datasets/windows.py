# SPDX-License-Identifier: Apache-2.0
"""`silver/bid_windows`: what was known before a token, and the log W_-i that came.

The window is the last 15 of opening, log W_-i(0), .., log W_-i(t - 1), padded at its old end as
`bls.brain.features.pad` does. A series without its opening, with a gap
or with a weight that is no number gives no windows.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from bls.contracts import WINDOW
from export.bid_predictor.windows import I64, past_windows
from pipelines_dagster.defs.datasets import bids, schema
from pipelines_dagster.defs.datasets.recipe import REPLY_S, Frames, Recipe, Source

SERIES = ("conv_id", "request_id", "row")
_BIDS = bids.RECIPE.table
_CHUNK = 16_384
"""Windows gathered at once: few enough for the cache."""


def build(frames: Frames, day: str) -> pl.DataFrame:
    """Windows of a day's tokens; a reply that began the day before is read from its beginning."""
    columns = (*SERIES, "advertiser", "token_idx", "ts", "log_w", "dt")
    rows = in_series(frames[_BIDS].select(columns).collect())
    first = series_starts(rows)
    tokens = rows["token_idx"].to_numpy() >= 0
    wanted = np.flatnonzero(tokens & (rows["dt"] == day).to_numpy())
    log_w = rows["log_w"].to_numpy().astype(np.float64)
    past = np.empty((len(wanted), WINDOW), np.float32)
    for at in range(0, len(wanted), _CHUNK):
        part = wanted[at : at + _CHUNK]
        past[at : at + _CHUNK] = past_windows(log_w, part, first[part])
    lists = pl.Series("past", past, pl.Array(pl.Float32, WINDOW))
    return rows[wanted].with_columns(lists.arr.to_list(), label=pl.col("log_w"))


def in_series(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows of the whole series among them, series by series in token order."""
    replies = rows.select("conv_id", "request_id").unique().sort("conv_id", "request_id")
    numbered = rows.join(replies.with_row_index("reply"), on=["conv_id", "request_id"], how="left")
    ordered = numbered.sort("reply", "row", "token_idx")
    series = ["reply", "row"]
    begun = pl.col("token_idx").min().over(series) == -1
    gapless = pl.col("token_idx").max().over(series) + 2 == pl.len().over(series)
    known = pl.col("log_w").is_finite().all().over(series)
    return ordered.filter(begun & gapless & known)


def series_starts(rows: pl.DataFrame) -> I64:
    """[n] place of the opening of each row's series; `rows` as `in_series` gives them."""
    place = np.arange(len(rows))
    opening = rows["token_idx"].to_numpy() == -1
    starts: I64 = np.maximum.accumulate(np.where(opening, place, 0)).astype(np.int64)
    return starts


RECIPE = Recipe(
    "silver/bid_windows",
    (Source(_BIDS, ahead_s=REPLY_S),),
    schema.BID_WINDOWS,
    (*SERIES[:2], "advertiser", "token_idx"),
    build,
    "What was known before a token, and the log W_-i that came.",
)
