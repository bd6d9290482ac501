# SPDX-License-Identifier: Apache-2.0
"""The same rows wherever days are made."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from bls.errors import SkynetError
from pipelines_dagster.defs.datasets.bids import RECIPE
from pipelines_dagster.defs.datasets.engine import HERE, LOCAL, OnRay, engine_of
from pipelines_dagster.defs.datasets.gold import PREDICTOR, freeze
from pipelines_dagster.defs.datasets.refresh import refresh
from pipelines_dagster.defs.datasets.tables import recipes
from pipelines_dagster.lake.lake import Lake
from tests.pipelines.datasets.rig import MIDNIGHT, encode, lake_of, rows, traffic

ray = pytest.importorskip("ray")


@pytest.fixture(scope="module")
def cluster() -> Iterator[OnRay]:
    engine = OnRay(LOCAL, cpus=2)
    yield engine
    ray.shutdown()


def test_the_setting_chooses() -> None:
    assert engine_of("") is HERE
    assert engine_of("local") == OnRay(LOCAL) and engine_of("ray://h:1") == OnRay("ray://h:1")


def test_ray_makes_the_same_training_set(cluster: OnRay, tmp_path: Path) -> None:
    streams = traffic(count=24, start=MIDNIGHT - 700)
    here, there = lake_of(tmp_path / "a", streams), lake_of(tmp_path / "b", streams)
    made = recipes(encode)
    for lake in (here, there):
        refresh(lake, made["silver/contexts"])
    done = refresh(there, made["silver/bids"], cluster)
    assert done.days == refresh(here, made["silver/bids"]).days == ("2025-01-01", "2025-01-02")
    assert rows(there, "silver/bids").equals(rows(here, "silver/bids"))
    one, two = freeze(here, PREDICTOR, tmp_path / "1"), freeze(there, PREDICTOR, tmp_path / "2")
    assert one.card["content_sha256"] == two.card["content_sha256"]
    assert refresh(there, made["silver/bids"], cluster).days == ()


def broken(frames: object, day: str) -> pl.DataFrame:
    raise SkynetError("bad_day", "This day cannot be made.", 409)


def test_an_error_there_is_an_error_here(cluster: OnRay, tmp_path: Path) -> None:
    lake: Lake = lake_of(tmp_path, traffic(count=1))
    with pytest.raises(SkynetError) as refused:
        refresh(lake, replace(RECIPE, build=broken), cluster)
    assert refused.value.code == "bad_day" and lake.open("silver/bids") is None
    assert list(cluster.run(lambda day: pl.DataFrame(), [])) == []
