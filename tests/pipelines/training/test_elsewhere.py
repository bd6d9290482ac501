# SPDX-License-Identifier: Apache-2.0
"""Datasets of a lake in S3, and a search on a Ray cluster of one process."""

from __future__ import annotations

from pathlib import Path

import boto3
import pytest

from bls.brain.params import MpcParams
from bls.errors import SkynetError
from bls.settings import Settings
from pipelines_dagster.defs.market.dataset import verify
from pipelines_dagster.defs.training import gold as sets
from pipelines_dagster.defs.training.tuner import combinations, here, on_ray
from pipelines_dagster.settings import PipelineSettings


def test_the_newest_dataset_is_fetched_and_checked(
    endpoint: str, gold: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    client = boto3.client("s3", endpoint_url=endpoint)
    client.create_bucket(Bucket="lake")
    serving = Settings(state=tmp_path)
    settings = PipelineSettings(serving, lake="s3://lake/one", s3_endpoint=endpoint)
    with pytest.raises(SkynetError) as refused:
        sets.newest(settings, "tve_dataset")
    assert refused.value.code == "no_data"
    for path in gold.rglob("*.*"):
        key = f"one/gold/tve_dataset/v1/{path.relative_to(gold)}"
        client.upload_file(str(path), "lake", key)
    client.put_object(Bucket="lake", Key="one/gold/tve_dataset/v2/ads.parquet", Body=b"x")
    folder = sets.newest(settings, "tve_dataset")
    verify(folder)
    verify(sets.held_of(folder))
    assert folder.name == "v1" and sets.newest(settings, "tve_dataset") == folder
    client.put_object(Bucket="lake", Key="one/gold/tve_dataset/v1/ads.parquet", Body=b"x")
    fresh = PipelineSettings(Settings(state=tmp_path / "b"), "s3://lake/one", endpoint)
    with pytest.raises(SkynetError) as refused:
        sets.newest(fresh, "tve_dataset")
    assert refused.value.code == "dataset_changed"


def test_a_cluster_plays_the_same() -> None:
    import ray  # noqa: PLC0415

    tried = combinations(MpcParams(), {"horizon": (1, 3), "w_max": (1.0, 2.0)})

    def score(params: MpcParams) -> float:
        return params.horizon * params.w_max

    try:
        ray.init(address="local", num_cpus=1, include_dashboard=False, log_to_driver=False)
        assert list(on_ray("local")(score, tried)) == list(here(score, tried))
    finally:
        ray.shutdown()
