# SPDX-License-Identifier: Apache-2.0
"""What the checks find, and what they let pass."""

from __future__ import annotations

import math

import polars as pl
import pytest

from pipelines_dagster.defs.datasets import quality
from pipelines_dagster.defs.datasets.recipe import REPLY_S
from pipelines_dagster.defs.datasets.tables import recipes
from pipelines_dagster.lake.lake import Lake


@pytest.mark.spec("TVE-C-06")
@pytest.mark.parametrize("table", list(recipes()))
def test_what_was_made_passes(lake: Lake, table: str) -> None:
    found = quality.table(lake.scan(table), recipes()[table])
    assert found.passed and found.rows == lake.scan(table).collect().height > 0, found


@pytest.mark.spec("TVE-C-06")
def test_faults_of_form_are_found(lake: Lake) -> None:
    recipe = recipes()["silver/tve_samples"]
    good = lake.scan(recipe.table).collect()
    first = pl.int_range(pl.len()) == 0
    for bad, fault in (
        (good.drop("value"), "schema: value"),
        (good.with_columns(pl.col("clicks").cast(pl.Int64)), "schema: clicks"),
        (good.clear(), "no rows"),
        (good.with_columns(rate=pl.when(~first).then("rate")), "nulls: rate"),
        (good.with_columns(delivered=pl.lit(49, pl.Int16)), "range: delivered"),
        (good.with_columns(rate=pl.lit(math.nan)), "range: rate"),
        (pl.concat([good, good.head(1)]), "repeated keys"),
    ):
        found = quality.table(bad.lazy(), recipe)
        assert not found.passed and found.faults[fault] > 0, fault
    assert quality.table(good.clear().lazy(), recipe, needed=False).passed


def test_weights_that_do_not_add_up(lake: Lake) -> None:
    bids = lake.scan("silver/bids")
    assert quality.balance(bids).passed
    off = bids.with_columns(w_minus=pl.col("w_minus") + 0.01)
    assert quality.balance(off).faults["weights do not add up"] > 0
    unknown = bids.with_columns(w_minus=pl.lit(math.nan, pl.Float32))
    assert not quality.balance(unknown).passed


def test_replies_without_receipts(lake: Lake) -> None:
    bids = lake.scan("silver/bids")
    assert quality.receipts(bids).passed
    none = bids.filter(pl.col("token_idx") >= 0)
    found = quality.receipts(none)
    assert found.faults["no receipt"] == found.rows > 0
    young = none.filter(pl.col("ts") > pl.col("ts").max() - REPLY_S / 2)
    assert quality.receipts(young).passed


def test_records_labels_and_norms(lake: Lake) -> None:
    tokens, samples = lake.scan("bronze/auction_bids"), lake.scan("silver/tve_samples")
    assert quality.records(tokens).passed and quality.labels(samples).passed
    torn = tokens.with_columns(pl.col("weights").list.head(1))
    assert quality.records(torn).faults["torn arrays"] == quality.records(tokens).rows
    wrong = samples.with_columns(value=pl.col("value") + 1)
    assert quality.labels(wrong).faults["label is another"] > 0
    long = samples.with_columns(delivered=pl.col("count") + 1)
    assert quality.labels(long).faults["delivered more"] > 0
    contexts = lake.scan("silver/contexts")
    assert quality.unit_norm(contexts, "ctx_vec").passed
    doubled = contexts.with_columns(pl.col("ctx_vec") * 2)
    assert quality.unit_norm(doubled, "ctx_vec").faults["not of unit norm"] > 0
