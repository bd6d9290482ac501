# SPDX-License-Identifier: Apache-2.0
"""A rehearsal of its own touches nothing of the operator's."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pipelines_dagster.loop.rehearse import _environment, _own
from pipelines_dagster.settings import PipelineSettings, load_pipeline_settings
from pipelines_dagster.traffic.plan import TrafficPlan

OPERATORS = {
    "SKYNET_KEYS": "etcd://keys.example:2379",
    "SKYNET_KAFKA": "kafka.example:9092",
    "SKYNET_MODELS": "/srv/models",
    "SKYNET_REDIS": "redis://redis.example",
    "SKYNET_PIPELINES_LAKE": "s3://lake/prod",
    "SKYNET_PIPELINES_REGISTRY": "https://mlflow.example",
    "SKYNET_PIPELINES_SIGNING_KEY": "/srv/key.pem",
    "SKYNET_PIPELINES_WEBHOOK": "https://hook.example",
}


def test_only_the_state_folder_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in OPERATORS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("SKYNET_STATE", str(tmp_path))
    given = load_pipeline_settings()
    settings = PipelineSettings(_own(given.serving, TrafficPlan()), webhook="log")
    before = dict(os.environ)
    with _environment(settings):
        seen = load_pipeline_settings()
    assert dict(os.environ) == before
    assert seen == settings
    assert seen.lake_root == str(tmp_path / "lake")
    assert seen.serving.keys_folder == tmp_path / "keys"
    assert seen.serving.kafka_servers.startswith("127.0.0.1:")
    assert not set(OPERATORS.values()) & set(map(str, vars(seen.serving).values()))
