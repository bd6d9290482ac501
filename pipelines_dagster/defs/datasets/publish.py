# SPDX-License-Identifier: Apache-2.0
"""Training sets beside an S3 lake: written once, the card last, and fetched back checked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bls.errors import SkynetError
from pipelines_dagster.defs.datasets.gold import HELD
from pipelines_dagster.defs.market.dataset import CARD, load_card, verify
from pipelines_dagster.settings import PipelineSettings


def publish(settings: PipelineSettings, name: str, folder: Path) -> str:
    """Copy a training set to `<lake>/gold/<name>/<version>/` in S3; where it is then.

    In a folder lake it is there already.
    """
    if not settings.lake_root.startswith("s3://"):
        return folder.as_uri()
    bucket, prefix = _place(settings, name, folder.name)
    client = _client(settings)
    cards = []
    for part in (HELD, ""):
        for file in load_card(folder / part)["files"]:
            relative = Path(part) / file
            client.upload_file(str(folder / relative), bucket, f"{prefix}/{relative}")
        cards.append(Path(part) / CARD)
    for card in cards:
        client.upload_file(str(folder / card), bucket, f"{prefix}/{card}")
    return f"s3://{bucket}/{prefix}"


def fetch(settings: PipelineSettings, name: str, version: str, folder: Path) -> Path:
    """The same from S3 into `folder`, checked.

    Raises:
        SkynetError: `dataset_missing`, or `dataset_changed` for a file that is not the card's.
    """
    bucket, prefix = _place(settings, name, version)
    client = _client(settings)
    for part in (HELD, ""):
        (folder / part).mkdir(parents=True, exist_ok=True)
        _download(client, bucket, f"{prefix}/{Path(part) / CARD}", folder / part / CARD)
        for file in load_card(folder / part)["files"]:
            _download(client, bucket, f"{prefix}/{Path(part) / file}", folder / part / file)
        verify(folder / part)
    return folder


def _download(client: Any, bucket: str, key: str, path: Path) -> None:
    from botocore.exceptions import ClientError  # noqa: PLC0415  (only where there is S3)

    try:
        client.download_file(bucket, key, str(path))
    except ClientError:
        raise SkynetError("dataset_missing", "The training set is not in the lake.", 404) from None


def _place(settings: PipelineSettings, name: str, version: str) -> tuple[str, str]:
    bucket, _, prefix = settings.lake_root.removeprefix("s3://").partition("/")
    return bucket, "/".join(part for part in (prefix.strip("/"), "gold", name, version) if part)


def _client(settings: PipelineSettings) -> Any:
    import boto3  # noqa: PLC0415  (half a second, only where there is S3)

    return boto3.client("s3", endpoint_url=settings.s3_endpoint or None)
