# SPDX-License-Identifier: Apache-2.0
"""`silver/bids`: one row a token and advertiser, and one for what they came with.

    w_minus = w_agg - w_i - w_ref        (offline_orchestration 2.2.1, "w_comp")

The auction's own W_-i is kept; the difference is what the check `balance` looks at. The opening
comes from the receipt, so a reply that is still being written has none yet.
"""

from __future__ import annotations

import polars as pl

from bls.brain.features import log_weight
from pipelines_dagster.defs.datasets import schema
from pipelines_dagster.defs.datasets.bronze import PREFIX, day_of
from pipelines_dagster.defs.datasets.recipe import REPLY_S, Frames, Recipe, Source

_BIDS, _RECEIPTS = f"{PREFIX}auction_bids", f"{PREFIX}e2e_trace"
_REPLY = ("conv_id", "request_id")
_CONSTANT = ("mode", "temperature", "charge_rule", "micros_per_weight")


def build(frames: Frames, day: str) -> pl.DataFrame:
    """Rows of the tokens of a day, and of the openings of the replies that began on it."""
    tokens = frames[_BIDS].pipe(whole)
    first = tokens.filter(pl.col("token_idx") == 0).select(
        *_REPLY, "ts", *_CONSTANT, w_ref=pl.col("weights").list.get(0)
    )
    rows = pl.concat([_tokens(tokens), _openings(frames[_RECEIPTS], first)])
    return rows.with_columns(
        log_w=pl.col("w_minus").map_batches(_log, return_dtype=pl.Float32),
        dt=day_of(pl.col("ts")),
    ).collect()


def whole(tokens: pl.LazyFrame) -> pl.LazyFrame:
    """Without records whose arrays do not fit together; the check `whole_records` counts them."""
    rows = pl.col("advertisers").list.len() + 1
    same = (pl.col("weights").list.len() == rows) & (pl.col("w_minus").list.len() == rows)
    return tokens.filter(same)


def _tokens(tokens: pl.LazyFrame) -> pl.LazyFrame:
    used = pl.element().filter(pl.element().is_finite() & (pl.element() > 0))
    return (
        tokens.select(
            *_REPLY,
            "ts",
            *_CONSTANT,
            pl.col("token_idx").cast(pl.Int32),
            "advertisers",
            w_ref=pl.col("weights").list.get(0),
            w_agg=pl.col("weights").list.eval(used).list.sum(),
            w_i=pl.col("weights").list.slice(1),
            w_minus=pl.col("w_minus").list.slice(1),
            row=pl.int_ranges(1, pl.col("advertisers").list.len() + 1, dtype=pl.Int32),
        )
        .explode("advertisers", "w_i", "w_minus", "row", empty_as_null=False)
        .rename({"advertisers": "advertiser"})
        .select(_ORDER)
    )


def _openings(receipts: pl.LazyFrame, first: pl.LazyFrame) -> pl.LazyFrame:
    """Before the first token nobody has been heard: the bids are the campaigns'."""
    bid, reply = pl.col("bid"), pl.struct(_REPLY)
    lines = (
        receipts.select(*_REPLY, "lines")
        .explode("lines", empty_as_null=False)
        .unnest("lines")
        .select(*_REPLY, "advertiser", pl.col("row").cast(pl.Int32), bid)
    )
    others = (bid.sum().over(reply) - bid).cast(pl.Float32)
    return (
        lines.join(first, on=_REPLY, how="inner")
        .with_columns(
            token_idx=pl.lit(-1, pl.Int32),
            w_minus=others,
            w_agg=(bid.sum().over(reply) + pl.col("w_ref")).cast(pl.Float32),
            w_i=bid.cast(pl.Float32),
        )
        .select(_ORDER)
    )


def _log(w_minus: pl.Series) -> pl.Series:
    return pl.Series(log_weight(w_minus.to_numpy())).cast(pl.Float32)


_ORDER = [*_REPLY, "ts", "advertiser", "row", "token_idx", *_CONSTANT, "w_ref", "w_i", "w_agg"]
_ORDER += ["w_minus"]

RECIPE = Recipe(
    "silver/bids",
    (Source(_BIDS), Source(_RECEIPTS, back_s=REPLY_S, needed=False)),
    schema.BIDS,
    ("conv_id", "request_id", "row", "token_idx"),
    build,
    "One row a token and advertiser, and one for what they came with.",
)
