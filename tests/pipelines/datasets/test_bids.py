# SPDX-License-Identifier: Apache-2.0
"""`silver/bids` and `silver/bid_windows` against what was recorded and what serving computes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from bls.brain import features
from bls.errors import SkynetError
from pipelines_dagster.defs.datasets.bids import RECIPE
from pipelines_dagster.defs.datasets.refresh import refresh
from pipelines_dagster.defs.datasets.windows import RECIPE as WINDOWS
from pipelines_dagster.defs.market.as_events import Streams
from pipelines_dagster.defs.market.from_events import bids_from_events
from pipelines_dagster.defs.market.spool import write_spool
from pipelines_dagster.lake.lake import Lake
from tests.pipelines.datasets.rig import MIDNIGHT, lake_of, pour, rows, traffic


def test_the_same_series_as_from_the_log(lake: Lake, streams: Streams, tmp_path: Path) -> None:
    write_spool(tmp_path, streams)
    key = ["conv_id", "advertiser", "token_idx"]
    expected = bids_from_events(tmp_path).sort(key)
    found = lake.scan("silver/bids").collect()
    found = found.with_columns(conv_id=pl.concat_str(["conv_id", "request_id"], separator=":"))
    found = found.sort(key)
    assert found.select(key).equals(expected.select(key))
    assert np.allclose(found["log_w"], expected["log_w"], atol=1e-5)
    assert np.allclose(found["ts"], expected["ts"], atol=1e-6)


@pytest.mark.spec("CBP-I-03")
def test_others_weight_is_all_weight_but_own_and_the_reference(lake: Lake) -> None:
    """offline_orchestration 2.2.1: w_comp = w_agg - w_i - w_ref; the data of a retraining."""
    bids = lake.scan("silver/bids").collect()
    left = bids["w_agg"] - bids["w_i"] - bids["w_ref"]
    assert np.allclose(left, bids["w_minus"], atol=1e-4)
    assert np.allclose(bids["log_w"], features.log_weight(bids["w_minus"].to_numpy()), atol=1e-6)
    assert set(bids["dt"]) == {"2025-01-01", "2025-01-02"}


def test_windows_are_those_that_serving_builds(lake: Lake) -> None:
    bids = lake.scan("silver/bids").sort("token_idx").collect()
    windows = lake.scan("silver/bid_windows").collect()
    assert len(windows) == len(bids.filter(pl.col("token_idx") >= 0))
    series = bids.group_by("conv_id", "advertiser", maintain_order=True).agg("log_w")
    known = {(conv, name): log_w for conv, name, log_w in series.iter_rows()}
    for row in windows.sample(200, seed=0).to_dicts():
        log_w = known[row["conv_id"], row["advertiser"]]
        past = features.pad(log_w[: row["token_idx"] + 1])
        assert row["past"] == past.astype(np.float32).tolist()
        assert row["label"] == np.float32(log_w[row["token_idx"] + 1])


def test_a_reply_over_midnight_keeps_its_beginning(tmp_path: Path) -> None:
    streams = traffic(count=1, start=MIDNIGHT - 0.3, gap_s=0.0)
    lake = lake_of(tmp_path, streams)
    refresh(lake, RECIPE)
    refresh(lake, WINDOWS)
    windows = lake.scan("silver/bid_windows").sort("advertiser", "token_idx").collect()
    assert set(windows["dt"]) == {"2025-01-01", "2025-01-02"}
    later = windows.filter(pl.col("dt") == "2025-01-02")
    assert len(set(later["past"][0])) > 1
    assert (
        len(windows) == len(lake.scan("silver/bids").collect()) - windows["advertiser"].n_unique()
    )


def test_a_reply_without_receipt_has_no_opening_until_it_comes(tmp_path: Path) -> None:
    streams = traffic(count=3)
    lake = Lake(str(tmp_path))
    refresh(lake, RECIPE)
    assert lake.open("silver/bids") is None
    pour(lake, streams, only=["auction.bids"])
    assert refresh(lake, RECIPE).rows and refresh(lake, WINDOWS).rows == 0
    assert rows(lake, "silver/bids")["token_idx"].min() == 0
    pour(lake, streams, only=["e2e.trace"])
    refresh(lake, RECIPE)
    refresh(lake, WINDOWS)
    assert rows(lake, "silver/bids")["token_idx"].min() == -1
    assert rows(lake, "silver/bid_windows").height > 0


def test_a_torn_record_is_left_out_and_a_repeated_one_refused(tmp_path: Path) -> None:
    streams = traffic(count=1)
    first = streams["auction.bids"].head(1)
    torn = first.with_columns(
        token_idx=pl.lit(99, pl.Int32), weights=pl.col("weights").list.head(1)
    )
    lake = lake_of(tmp_path, streams | {"auction.bids": pl.concat([streams["auction.bids"], torn])})
    refresh(lake, RECIPE)
    assert 99 not in set(rows(lake, "silver/bids")["token_idx"])
    pour(lake, {"auction.bids": first}, seq=10_000)
    with pytest.raises(SkynetError) as refused:
        refresh(lake, RECIPE)
    assert refused.value.code == "duplicate_rows"


def test_a_weight_that_is_no_number_gives_no_windows(tmp_path: Path) -> None:
    streams = traffic(count=2)
    broken = pl.col("conv_id") == "sim_1_0"
    nan = pl.col("w_minus").list.eval(pl.element() * float("nan"))
    damaged = streams["auction.bids"].with_columns(
        pl.when(broken).then(nan).otherwise(pl.col("w_minus"))
    )
    lake = lake_of(tmp_path, streams | {"auction.bids": damaged})
    refresh(lake, RECIPE)
    refresh(lake, WINDOWS)
    assert set(rows(lake, "silver/bid_windows")["conv_id"]) == {"sim_1_1"}
