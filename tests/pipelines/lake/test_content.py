# SPDX-License-Identifier: Apache-2.0
"""The content hash: of what rows say, and of every bit of it."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from pipelines_dagster.lake.content import content_sha256, in_order
from tests.pipelines.lake.rows import rows


def test_the_way_rows_are_stored_does_not_matter(tmp_path: Path) -> None:
    whole = rows(0, 8)
    whole.write_parquet(tmp_path / "x.parquet", compression="snappy", row_group_size=3)
    parts = pl.concat([rows(0, 3), rows(3, 5)], rechunk=False)
    expected = content_sha256(whole)
    assert content_sha256(pl.read_parquet(tmp_path / "x.parquet")) == expected
    assert content_sha256(parts) == expected
    shuffled = whole.sample(fraction=1, shuffle=True, seed=1).select(reversed(whole.columns))
    assert content_sha256(in_order(shuffled)) == content_sha256(in_order(whole))


@pytest.mark.parametrize(
    "change",
    [
        pl.col("event_id").str.replace("e3", "e-3"),
        pl.col("seq") + (pl.col("seq") == 3).cast(pl.Int64),
        pl.col("seq").cast(pl.Int32),
        pl.when(pl.col("seq") == 3).then(None).otherwise("conv_id").alias("conv_id"),
        pl.when(pl.col("seq") == 3).then([]).otherwise("lines").alias("lines"),
        pl.when(pl.col("seq") == 3).then(b"").otherwise("raw").alias("raw"),
        pl.col("seq").alias("another"),
    ],
)
def test_every_change_shows(change: pl.Expr) -> None:
    assert content_sha256(rows(0, 8).with_columns(change)) != content_sha256(rows(0, 8))


def test_values_do_not_flow_into_each_other() -> None:
    one = pl.DataFrame({"a": ["ab", "c"], "l": [[1, 2], [3]]})
    two = pl.DataFrame({"a": ["a", "bc"], "l": [[1], [2, 3]]})
    for name in ("a", "l"):
        assert content_sha256(one.select(name)) != content_sha256(two.select(name))


def test_no_rows_have_a_hash_too() -> None:
    assert len(content_sha256(rows(0, 0))) == 64
