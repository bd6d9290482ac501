# SPDX-License-Identifier: Apache-2.0
"""`silver/tve_samples`: what each hosted ad's trajectory was worth to its readers.

value = log(1 + clicks) rate,   rate = a CPM + b CPC          (trajectory_value 2.2 B)
"""

from __future__ import annotations

import polars as pl

from bls.contracts import CTX
from pipelines_dagster.defs.datasets import clicks, schema
from pipelines_dagster.defs.datasets.ads import ad_keys
from pipelines_dagster.defs.datasets.bronze import day_of
from pipelines_dagster.defs.datasets.contexts import FEEDBACK, keyed
from pipelines_dagster.defs.datasets.recipe import Frames, Recipe, Source


def build(frames: Frames, day: str) -> pl.DataFrame:
    """One row a trajectory that ended on that day."""
    known = frames[FEEDBACK].filter(pl.col("ctx_vec").list.len() == CTX)
    ended = known.sort("conv_id", "request_id", "row")
    rows = clicks.attributed(ended, frames[clicks.TABLE], frames[clicks.RECEIPTS.table]).collect()
    log_clicks = pl.col("clicks").log1p()
    return keyed(rows).with_columns(
        pl.Series("ad_key", ad_keys(rows, "creative"), pl.String),
        log_clicks=log_clicks,
        value=log_clicks * pl.col("rate"),
        dt=day_of(pl.col("ts")),
    )


RECIPE = Recipe(
    "silver/tve_samples",
    (Source(FEEDBACK), clicks.SOURCE, clicks.RECEIPTS),
    schema.TVE_SAMPLES,
    ("conv_id", "request_id", "row"),
    build,
    "What each hosted ad's trajectory was worth to its readers.",
)
