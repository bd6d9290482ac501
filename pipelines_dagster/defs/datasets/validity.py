# SPDX-License-Identifier: Apache-2.0
"""Which showings may be learned from: the one rule about invalid traffic (docs/bridge.md).

A showing is invalid when the reaction that counts for it says so (`click.logs.invalid`), or the
receipt of its reply does (`e2e.trace.traffic.valid`). Silver tables keep such rows and mark them;
whatever trains leaves them out, and with them what was more likely a program's than a person's
(f at or above `LEARN_BELOW`), and says how many. They are left out whole: without the click the
same showing would say that nobody liked the ad, which no person said either.

Tables of an older build lack the marks; what has none is valid.
"""

from __future__ import annotations

import polars as pl

from bls.phantom.bridge import LEARN_BELOW
from pipelines_dagster.defs.market.schema import Columns

INVALID, SCORE = "invalid", "agent_probability"
MARKS: Columns = {SCORE: pl.Float32, INVALID: pl.Boolean}
"""Columns of a silver table whose rows are showings; -1: no shop session, or no score."""
LEFT_OUT = "left_out_invalid"
"""What the manifest of whatever was trained calls their number."""
NO_SCORE = -1.0

_REPLY = ["conv_id", "request_id"]


def marks_of(clicks: pl.LazyFrame) -> list[pl.Expr]:
    """The marks of `bronze/click_logs` rows, to be selected."""
    found = clicks.collect_schema()
    return [
        pl.col(SCORE) if SCORE in found else pl.lit(NO_SCORE).alias(SCORE),
        pl.col(INVALID) if INVALID in found else pl.lit(False).alias(INVALID),
    ]


def marked(shown: pl.LazyFrame, receipts: pl.LazyFrame | None) -> pl.LazyFrame:
    """Showings with whole marks: what their receipts say added, order kept.

    Args:
        shown: rows with `conv_id`, `request_id` and the marks of their reactions, null without one.
        receipts: `bronze/e2e_trace` rows.
    """
    whole = shown.with_columns(pl.col(SCORE).fill_null(NO_SCORE), pl.col(INVALID).fill_null(False))
    if receipts is None or "traffic" not in receipts.collect_schema():
        return whole.with_columns(pl.col(SCORE).cast(pl.Float32))
    traffic = pl.col("traffic").struct
    told = receipts.select(
        *_REPLY,
        at_end=traffic.field(SCORE).fill_null(NO_SCORE),
        refused=~traffic.field("valid").fill_null(True),
    ).unique(_REPLY, keep="last", maintain_order=True)
    return (
        whole.join(told, on=_REPLY, how="left", maintain_order="left")
        .with_columns(
            pl.max_horizontal(SCORE, pl.col("at_end").fill_null(NO_SCORE)).cast(pl.Float32),
            pl.col(INVALID) | pl.col("refused").fill_null(False),
        )
        .drop("at_end", "refused")
    )


def learned(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Rows of a silver table that training may see."""
    return rows.filter(~_invalid(rows))


def left_out(rows: pl.LazyFrame) -> int:
    """How many of them it may not see."""
    return int(rows.select(_invalid(rows).sum()).collect().item() or 0)


def _invalid(rows: pl.LazyFrame) -> pl.Expr:
    found = rows.collect_schema()
    if INVALID not in found or SCORE not in found:
        return pl.lit(False)
    likely = pl.col(SCORE).fill_null(NO_SCORE) >= LEARN_BELOW
    return pl.col(INVALID).fill_null(False) | likely
