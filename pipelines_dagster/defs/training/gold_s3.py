# SPDX-License-Identifier: Apache-2.0
"""Training sets of a lake in S3, fetched once and checked against their card."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import boto3

from pipelines_dagster.defs.market.dataset import CARD, verify
from pipelines_dagster.defs.training.gold import HELD, age_of, no_data
from pipelines_dagster.settings import PipelineSettings


def fetch_newest(settings: PipelineSettings, name: str) -> Path:
    """The newest whole version, in `<state>/gold.cache`. Raises `no_data`, `dataset_changed`."""
    bucket, _, root = settings.lake_root.removeprefix("s3://").partition("/")
    prefix = "/".join(part for part in (root.strip("/"), "gold", name) if part) + "/"
    client = boto3.client("s3", endpoint_url=settings.s3_endpoint or None)
    keys = _keys(client, bucket, prefix)
    cards = [key for key in keys if key.count("/") == 1 and key.endswith(f"/{CARD}")]
    if not cards:
        raise no_data(name)
    made = [age_of(_card(client, bucket, prefix + key), key.split("/")[0]) for key in cards]
    version = max(made)[1]
    target = settings.serving.state / "gold.cache" / name / version
    if target.is_dir():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=".fetch.", dir=target.parent))
    try:
        for key in keys:
            if key.startswith(f"{version}/"):
                file = fresh / key.partition("/")[2]
                file.parent.mkdir(parents=True, exist_ok=True)
                client.download_file(bucket, prefix + key, str(file))
        for folder in (fresh, fresh / HELD):
            if (folder / CARD).is_file():
                verify(folder)
        fresh.replace(target)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return target


def _card(client: Any, bucket: str, key: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(client.get_object(Bucket=bucket, Key=key)["Body"].read())
    return found


def _keys(client: Any, bucket: str, prefix: str) -> list[str]:
    """Below `prefix`, without it."""
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    return [found["Key"][len(prefix) :] for page in pages for found in page.get("Contents", ())]
