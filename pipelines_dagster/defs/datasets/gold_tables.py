# SPDX-License-Identifier: Apache-2.0
"""Silver rows as the tables of a market dataset, newest first up to a number of rows.

A series in a training set is called `conv_id:request_id`, for a conversation has many replies. A
creative's price is its rate alone: `cpm` is rate / A_CPM and `cpc` 0, which gives the rate back.
"""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

from bls.contracts import AD_TOKENS, CTX
from pipelines_dagster.defs.datasets import validity
from pipelines_dagster.defs.datasets.split import with_held
from pipelines_dagster.defs.datasets.windows import in_series
from pipelines_dagster.defs.market.readers import A_CPM
from pipelines_dagster.defs.market.schema import ADS, BIDS, CONTEXTS, SAMPLES, Columns

Scan = Callable[[str], pl.LazyFrame]
"""A silver table's rows of the days wanted, by its name."""
Tables = dict[str, pl.DataFrame]

REPLY = ["conv_id", "request_id"]


def predictor_tables(scan: Scan, most: int, held: float) -> tuple[Tables, Tables]:
    """(training, held-out) `contexts` and `bids` of whole series whose context is known.

    Args:
        most: bid rows; replies are taken whole, the newest first.
        held: share of the conversations that is held out.
    """
    known = scan("silver/contexts").select(*REPLY, "ctx_key")
    bids = scan("silver/bids").join(known, on=REPLY, how="inner")
    replies = bids.group_by(REPLY).agg(pl.len().alias("n"), begun=pl.col("ts").min()).collect()
    taken = _newest(replies, most)
    columns = [*REPLY, "advertiser", "row", "token_idx", "ts", "log_w", "ctx_key"]
    rows = bids.select(columns).join(taken.lazy(), on=REPLY, how="semi").collect()
    series = with_held(_gathered(in_series(rows), taken), held)
    vectors = _vectors(scan, series)
    return _bids(series.filter(~pl.col("held")), vectors), _bids(series.filter("held"), vectors)


def tve_tables(
    scan: Scan, most: int, held: float, until: float | None = None
) -> tuple[Tables, Tables]:
    """(training, held-out) `contexts`, `ads` and `tve_samples` of delivered, valid trajectories.

    Args:
        most: samples, the newest first.
        until: Unix seconds; later trajectories may still be clicked and are left out.
    """
    key = [*REPLY, "row"]
    rows = validity.learned(delivered(scan))
    if until is not None:
        rows = rows.filter(pl.col("ts") <= until)
    newest = rows.sort("ts", *key, descending=[True, False, False, False]).head(most).collect()
    known = scan("silver/contexts").select(REPLY).collect()
    creatives = scan("silver/ads").sort("ts").unique("ad_key", keep="last").collect()
    samples = with_held(
        newest.sort("ts", *key)
        .join(known, on=REPLY, how="semi", maintain_order="left")
        .join(creatives, on="ad_key", how="semi", maintain_order="left"),
        held,
    )
    vectors = _vectors(scan, samples)
    train, kept = samples.filter(~pl.col("held")), samples.filter("held")
    return _samples(train, vectors, creatives), _samples(kept, vectors, creatives)


def delivered(scan: Scan) -> pl.LazyFrame:
    """Trajectories of which at least one token was delivered."""
    return scan("silver/tve_samples").filter(pl.col("delivered").is_between(1, AD_TOKENS))


def _newest(replies: pl.DataFrame, most: int) -> pl.DataFrame:
    """Replies [begun, conv_id, request_id], the newest until their rows are enough."""
    ordered = replies.sort("begun", *REPLY, descending=[True, False, False])
    fits = ordered["n"].cum_sum() <= most
    return ordered.filter(fits).select(*REPLY, "begun")


def _gathered(series: pl.DataFrame, replies: pl.DataFrame) -> pl.DataFrame:
    """Series in the order in which their replies began."""
    return series.join(replies, on=REPLY, how="left").sort("begun", *REPLY, "row", "token_idx")


def _vectors(scan: Scan, rows: pl.DataFrame) -> pl.DataFrame:
    """ctx_key, ctx_vec of the contexts of some rows."""
    wanted = rows.select("ctx_key").unique().lazy()
    known = scan("silver/contexts").select("ctx_key", "ctx_vec")
    return known.join(wanted, on="ctx_key", how="semi").unique("ctx_key").sort("ctx_key").collect()


def _bids(rows: pl.DataFrame, vectors: pl.DataFrame) -> Tables:
    contexts = _contexts(rows, vectors)
    named = rows.join(_ids(contexts, "ctx"), on="ctx_key", how="left", maintain_order="left")
    bids = named.with_columns(conv_id=pl.concat_str(REPLY, separator=":"))
    return {"contexts": _fit(contexts, CONTEXTS), "bids": _fit(bids, BIDS)}


def _samples(rows: pl.DataFrame, vectors: pl.DataFrame, creatives: pl.DataFrame) -> Tables:
    contexts = _contexts(rows, vectors)
    used = creatives.join(rows, on="ad_key", how="semi").sort("advertiser", "text")
    ads = used.with_row_index("ad_id").with_columns(
        pl.col("ad_vec").list.to_array(CTX), cpm=pl.col("rate") / A_CPM, cpc=pl.lit(0.0)
    )
    samples = rows.join(
        _ids(contexts, "ctx"), on="ctx_key", how="left", maintain_order="left"
    ).join(_ids(ads, "ad"), on="ad_key", how="left", maintain_order="left")
    samples = samples.with_columns(
        day=pl.col("dt").str.to_date(), dwell_ms=pl.col("dwell_ms").clip(0, 2**31 - 1)
    )
    return {
        "contexts": _fit(contexts, CONTEXTS),
        "ads": _fit(ads, ADS),
        "tve_samples": _fit(samples, SAMPLES),
    }


def _contexts(rows: pl.DataFrame, vectors: pl.DataFrame) -> pl.DataFrame:
    used = vectors.join(rows, on="ctx_key", how="semi", maintain_order="left")
    return used.with_row_index("ctx_id").with_columns(pl.col("ctx_vec").list.to_array(CTX))


def _ids(table: pl.DataFrame, name: str) -> pl.DataFrame:
    return table.select(f"{name}_key", f"{name}_id")


def _fit(rows: pl.DataFrame, columns: Columns) -> pl.DataFrame:
    return rows.select(list(columns)).cast(pl.Schema(columns))
