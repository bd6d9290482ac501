# SPDX-License-Identifier: Apache-2.0
"""Datasets on disk: complete, checked, reproducible."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from bls.errors import SkynetError
from pipelines_dagster.defs.market.dataset import (
    CARD,
    load_card,
    load_dataset,
    load_truth,
    verify,
)
from pipelines_dagster.defs.market.schema import TABLES
from pipelines_dagster.defs.market.simulate import Size, simulate


@pytest.fixture
def copy(folder: Path, card: dict[str, Any], tmp_path: Path) -> Path:
    return Path(shutil.copytree(folder, tmp_path / "copy"))


def refusal(folder: Path) -> SkynetError:
    with pytest.raises(SkynetError) as refused:
        load_dataset(folder)
    assert "/" not in refused.value.message.replace("truth/", "")
    return refused.value


@pytest.mark.spec("TVE-C-06")
def test_a_dataset_has_every_table_with_rows(folder: Path, card: dict[str, Any]) -> None:
    data, truth = load_dataset(folder), load_truth(folder)
    assert data.bids.height == card["rows"]["bids"] > 0
    assert data.tve_samples.height == card["rows"]["tve_samples"] == truth.samples.height
    assert truth.bids.height == data.bids.filter(pl.col("token_idx") >= 0).height
    verify(folder)


@pytest.mark.spec("TVE-C-06")
@pytest.mark.parametrize("name", TABLES)
def test_a_missing_or_damaged_file_is_refused(copy: Path, name: str) -> None:
    path = copy / f"{name}.parquet"
    path.write_bytes(b"PAR1 not really")
    load = load_truth if name.startswith("truth/") else load_dataset
    for code in ("dataset_schema", "dataset_missing"):
        with pytest.raises(SkynetError) as refused:
            load(copy)
        assert refused.value.code == code
        path.unlink(missing_ok=True)


@pytest.mark.spec("TVE-C-06")
def test_wrong_columns_types_and_no_rows_are_refused(copy: Path) -> None:
    path = copy / "tve_samples.parquet"
    good = pl.read_parquet(path)
    clicks = good["clicks"]
    half = pl.when(pl.int_range(pl.len()) > 0).then(clicks)
    for bad, code, word in (
        (good.drop("clicks"), "dataset_schema", "clicks"),
        (good.with_columns(extra=pl.lit(1)), "dataset_schema", "extra"),
        (good.select(reversed(good.columns)), "dataset_schema", "order"),
        (good.with_columns(clicks.cast(pl.Float64)), "dataset_schema", "Float64"),
        (good.with_columns(half.alias("clicks")), "dataset_schema", "nulls"),
        (good.clear(), "dataset_empty", "no rows"),
    ):
        bad.write_parquet(path)
        error = refusal(copy)
        assert error.code == code and word in error.message


def test_a_changed_file_does_not_match_its_card(copy: Path) -> None:
    (copy / "ads.parquet").write_bytes(b"")
    with pytest.raises(SkynetError, match="not the file"):
        verify(copy)
    (copy / "ads.parquet").unlink()
    with pytest.raises(SkynetError, match="has no"):
        verify(copy)


@pytest.mark.parametrize("text", [None, "{", "[]"])
def test_a_card_that_is_none_is_refused(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / CARD).write_text(text)
    with pytest.raises(SkynetError) as refused:
        load_card(tmp_path)
    assert refused.value.code == ("dataset_missing" if text is None else "dataset_schema")


def test_the_seed_fixes_every_byte(tmp_path: Path) -> None:
    size = Size(conversations=5, contexts=10, ads=64, pairs=50)
    cards = [simulate(tmp_path / str(i), seed, size) for i, seed in enumerate((3, 3, 4))]
    assert cards[0]["files"] == cards[1]["files"]
    assert not set(cards[0]["files"].values()) & set(cards[2]["files"].values())
    assert json.loads((tmp_path / "0" / CARD).read_text())["files"] == cards[0]["files"]


def test_the_rows_are_series_in_token_order(folder: Path, card: dict[str, Any]) -> None:
    bids = load_dataset(folder).bids
    series = bids.group_by("conv_id", "advertiser", maintain_order=True).agg("token_idx", "ts")
    for token, ts in series.select("token_idx", "ts").iter_rows():
        assert token == list(range(-1, len(token) - 1)) and 25 <= len(token) <= 65
        assert ts == sorted(ts)
    assert bids["log_w"].min() >= np.float32(np.log(0.01))


def test_the_law_is_what_happens(folder: Path, card: dict[str, Any]) -> None:
    error = card["irreducible"]["log_w"]["stationary"]
    assert error["rmse"] == pytest.approx(error["expected_rmse"], rel=0.1)
    assert 0.09 < error["rmse"] < 0.14
    truth = load_truth(folder).bids
    rows = load_dataset(folder).bids.filter(pl.col("token_idx") >= 0)
    keys = ["conv_id", "advertiser", "token_idx"]
    assert rows.select(keys).equals(truth.select(keys))


def test_sizes_below_one_are_refused() -> None:
    with pytest.raises(SkynetError):
        Size(conversations=0)
