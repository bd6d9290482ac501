# SPDX-License-Identifier: Apache-2.0
"""Contexts, creatives, value samples, click pairs and rewards of the mix."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from pipelines_dagster.defs.datasets import contexts, rewards
from pipelines_dagster.defs.datasets.ads import ad_keys
from pipelines_dagster.defs.datasets.clicks import ATTRIBUTION_S, attributed
from pipelines_dagster.defs.datasets.pairs import ALIKE, MOST
from pipelines_dagster.defs.datasets.recipe import REPLY_S
from pipelines_dagster.defs.datasets.refresh import refresh
from pipelines_dagster.defs.datasets.samples import RECIPE as SAMPLES
from pipelines_dagster.defs.market.as_events import Streams, Traffic, simulate_events
from pipelines_dagster.lake.lake import Lake
from tests.pipelines.datasets.rig import encode, lake_of, rows, traffic, world


@pytest.mark.spec("TVE-I-02")
def test_every_trajectory_becomes_a_sample_with_its_label(lake: Lake, streams: Streams) -> None:
    """The rows of `tve.feedback` are the rows of `tve_samples`, labelled by their clicks."""
    key = ["conv_id", "request_id", "advertiser"]
    found = lake.scan("silver/tve_samples").collect().sort(key)
    shown, told = streams["tve.feedback"].sort(key), streams["click.logs"].sort(key)
    assert found.select(key).equals(shown.select(key))
    assert found["clicks"].equals(told["clicks"])
    expected = np.log1p(told["clicks"].to_numpy()) * shown["rate"].to_numpy()
    assert np.allclose(found["value"], expected, rtol=1e-5)
    assert found["impressions"].unique().to_list() == [1_000]
    assert found["delivered"].equals(shown["delivered"].cast(pl.Int16))


def test_a_context_is_known_by_its_vector(lake: Lake, streams: Streams) -> None:
    found = lake.scan("silver/contexts").collect()
    assert found.height == streams["e2e.trace"].height
    vectors = contexts.vectors(found["ctx_vec"])
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert found["ctx_key"].n_unique() == len(np.unique(vectors, axis=0))
    assert found.group_by("ctx_key").agg(pl.col("cluster").n_unique())["cluster"].max() == 1


def test_near_contexts_share_a_cluster_more_often_than_far_ones() -> None:
    rng = np.random.default_rng(0)
    ctx = rng.standard_normal((2_000, 128)).astype(np.float32)
    near = ctx + 0.1 * rng.standard_normal(ctx.shape).astype(np.float32)
    same = contexts.clusters(ctx)
    assert (same == contexts.clusters(near)).mean() > 0.6
    assert (same == contexts.clusters(ctx[::-1])).mean() < 0.05
    assert same.min() >= 0 and same.max() < 2**contexts.PLANES


def test_a_vector_of_another_size_is_left_out(tmp_path: Path) -> None:
    streams = traffic(count=2)
    short = pl.when(pl.col("conv_id") == "sim_1_0").then(pl.col("ctx_vec").list.head(3))
    damaged = streams["tve.feedback"].with_columns(short.otherwise("ctx_vec").alias("ctx_vec"))
    lake = lake_of(tmp_path, streams | {"tve.feedback": damaged})
    refresh(lake, contexts.RECIPE)
    refresh(lake, SAMPLES)
    for table in ("silver/contexts", "silver/tve_samples"):
        assert set(rows(lake, table)["conv_id"]) == {"sim_1_1"}


def test_creatives_have_the_encoders_vectors_and_the_last_rate(lake: Lake) -> None:
    found = lake.scan("silver/ads").collect()
    vectors = contexts.vectors(found["ad_vec"])
    assert np.array_equal(vectors, encode(found["text"].to_list()))
    assert found["ad_key"].to_list() == ad_keys(found)
    used = set(lake.scan("silver/tve_samples").collect()["ad_key"])
    assert used == set(found["ad_key"])


def click(ts: float, clicks: int, **other: object) -> dict[str, object]:
    return {
        "conv_id": "c",
        "request_id": "r",
        "advertiser": "a",
        "ts": ts,
        "impressions": 1,
        "clicks": clicks,
        "dwell_ms": 10,
        **other,
    }


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([], (1, 0, 0)),
        ([click(0.0, 1)], (1, 1, 10)),
        ([click(-5.0, 1)], (1, 1, 10)),
        ([click(2.0, 2, impressions=3), click(1.0, 1)], (3, 2, 10)),
        ([click(ATTRIBUTION_S + 1, 1)], (1, 0, 0)),
        ([click(-REPLY_S - 1, 1)], (1, 0, 0)),
        ([click(0.0, 1, advertiser="b")], (1, 0, 0)),
        ([click(0.0, 1, request_id="s")], (1, 0, 0)),
    ],
)
def test_attribution(events: list[dict[str, object]], expected: tuple[int, int, int]) -> None:
    shown = pl.DataFrame([{**click(0.0, 0), "own": 7}]).drop("impressions", "clicks", "dwell_ms")
    schema = pl.DataFrame([click(0.0, 0)]).schema
    found = attributed(shown.lazy(), pl.DataFrame(events, schema).lazy()).collect()
    assert found.select("impressions", "clicks", "dwell_ms").row(0) == expected
    assert found["own"].to_list() == [7]


def test_pairs_are_of_one_context_and_only_one_was_clicked(lake: Lake) -> None:
    pairs = lake.scan("silver/click_pairs").collect()
    samples = lake.scan("silver/tve_samples").collect()
    clicks = {row[:3]: row[3] for row in samples[[*_KEY, "clicks"]].rows()}
    assert set(pairs["scope"]) == {"conversation", "cluster"}
    for row in pairs.to_dicts():
        assert clicks[row["conv_id"], row["request_id"], row["advertiser"]] > 0
        assert clicks[tuple(row[f"rejected_{name}"] for name in _KEY)] == 0
        assert row["chosen"] != row["rejected"]
        assert row["scope"] == "cluster" or row["conv_id"] == row["rejected_conv_id"]
    near = pairs.filter(pl.col("scope") == "cluster")
    assert (near["cosine"] >= ALIKE).all()
    assert pairs.group_by(_KEY).len()["len"].max() <= 2 * MOST


_KEY = ["conv_id", "request_id", "advertiser"]


@pytest.mark.spec("MRO-I-04")
def test_the_best_bucket_earns_most(tmp_path: Path) -> None:
    """What the bandit learns from: the bucket that readers like has the highest mean reward."""
    streams = simulate_events(Traffic(3, 2_000, best_lambda=0.3), world())
    only = {name: streams[name] for name in ("mro.select", "click.logs")}
    lake = lake_of(tmp_path, only)
    refresh(lake, rewards.RECIPE)
    found = rows(lake, "silver/lambda_rewards")
    assert found.height == streams["mro.select"].height
    assert found["reward"].is_between(0, 1).all() and found["cap"].min() > 0
    money = found["clicks"] / found["impressions"] * found["val"]
    assert np.allclose(found["money"], money)
    mean = found.group_by("bucket").agg(pl.col("reward").mean()).sort("reward")
    assert mean["bucket"][-1] == 0.3 and sorted(mean["bucket"]) == [k / 10 for k in range(1, 10)]


def test_nobody_clicked_is_no_cap(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, {"mro.select": traffic(count=3)["mro.select"]})
    refresh(lake, rewards.RECIPE)
    found = rows(lake, "silver/lambda_rewards")
    assert found.height and set(found["reward"]) == set(found["cap"]) == {0.0}
