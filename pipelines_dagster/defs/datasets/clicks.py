# SPDX-License-Identifier: Apache-2.0
"""Readers' reactions joined to what they were shown.

A click belongs to what its reply showed of its advertiser, if it came within `ATTRIBUTION_S`. No
event is no click of one reader. An event may be told again by whoever is not sure that it
arrived: of several for one showing the last counts.
"""

from __future__ import annotations

import polars as pl

from pipelines_dagster.defs.datasets import validity
from pipelines_dagster.defs.datasets.bronze import PREFIX
from pipelines_dagster.defs.datasets.recipe import REPLY_S, Source

TABLE = f"{PREFIX}click_logs"
ATTRIBUTION_S = 86_400.0
"""A later click counts for nobody."""

KEY = ("conv_id", "request_id", "advertiser")
SOURCE = Source(TABLE, back_s=ATTRIBUTION_S, ahead_s=REPLY_S, needed=False)
RECEIPTS = Source(f"{PREFIX}e2e_trace", back_s=REPLY_S, ahead_s=REPLY_S, needed=False)


def attributed(
    shown: pl.LazyFrame, clicks: pl.LazyFrame, receipts: pl.LazyFrame | None = None
) -> pl.LazyFrame:
    """`shown`, each row with `impressions`, `clicks`, `dwell_ms` and the marks of `validity`.

    Args:
        shown: rows with `KEY` and `ts`; its order is kept.
        clicks: `bronze/click_logs` rows. A reader may be quicker than the end of the reply.
        receipts: `bronze/e2e_trace` rows of these replies.
    """
    after = pl.col("clicked_at") - pl.col("ts")
    counted = ["impressions", "clicks", "dwell_ms"]
    marks = list(validity.MARKS)
    events = clicks.select(*KEY, *counted, *validity.marks_of(clicks), clicked_at="ts")
    reactions = (
        shown.select(*KEY, "ts")
        .unique()
        .join(events, on=KEY, how="inner")
        .filter(after.is_between(-REPLY_S, ATTRIBUTION_S))
        .sort("clicked_at")
        .unique([*KEY, "ts"], keep="last", maintain_order=True)
        .select(*KEY, "ts", *counted, *marks)
    )
    told = shown.join(reactions, on=[*KEY, "ts"], how="left", maintain_order="left").with_columns(
        pl.col("impressions").fill_null(1),
        pl.col("clicks").fill_null(0),
        pl.col("dwell_ms").fill_null(0),
    )
    return validity.marked(told, receipts)
