# SPDX-License-Identifier: Apache-2.0
"""The artefact store in an S3 bucket. Keys and region come from `AWS_*`.

Every object is written only where there is none (`If-None-Match: *`), the manifest last: a version
without one was never finished, is not read, and its name is not used again.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from bls.errors import SkynetError
from export.errors import ExportError
from export.manifest import MANIFEST_NAME, file_sha256
from export.model_manifest import ModelManifest
from pipelines_dagster.registry.names import Stored, check_path, version_exists
from pipelines_dagster.registry.store import bad_artefact, check, no_artefact

_RETRIES = Config(retries={"max_attempts": 5, "mode": "standard"}, connect_timeout=5)
_EXISTS = {"PreconditionFailed", "ConditionalRequestConflict"}
_GONE = {"NoSuchKey", "404", "NoSuchBucket"}


class S3Artefacts:
    """See `ArtefactStore`.

    Args:
        root: `s3://bucket/prefix`.
        cache: local folder of what was fetched.
    """

    def __init__(self, root: str, cache: Path, endpoint: str = "") -> None:
        self._bucket, _, prefix = root.removeprefix("s3://").partition("/")
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        self._cache = cache
        self._client: Any = boto3.client("s3", endpoint_url=endpoint or None, config=_RETRIES)

    def put(self, subsystem: str, version: str, folder: Path) -> Stored:
        place = self._prefix + check_path(subsystem, version)
        manifest = check(folder)
        sha256 = file_sha256(folder / MANIFEST_NAME)
        stored = Stored(subsystem, version, f"s3://{self._bucket}/{place}", sha256)
        for name in (*manifest.files, MANIFEST_NAME):
            self._write(f"{place}/{name}", (folder / name).read_bytes())
        return stored

    def fetch(self, stored: Stored) -> Path:
        path = check_path(stored.subsystem, stored.version)
        place = f"{self._prefix}{path}"
        if stored.uri.rstrip("/") != f"s3://{self._bucket}/{place}":
            raise no_artefact()
        target = self._cache / path / stored.sha256[:16]
        if target.is_dir():
            check(target, stored.sha256)
            return target
        target.parent.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(prefix=".fetch.", dir=target.parent))
        try:
            (fresh / MANIFEST_NAME).write_bytes(self._read(f"{place}/{MANIFEST_NAME}"))
            for name in check_names(fresh):
                (fresh / name).write_bytes(self._read(f"{place}/{name}"))
            check(fresh, stored.sha256)
            fresh.replace(target)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
        return target

    def versions(self, subsystem: str) -> list[str]:
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix=f"{self._prefix}{subsystem}/", Delimiter="/"
        )
        found = [p["Prefix"] for page in pages for p in page.get("CommonPrefixes", ())]
        return sorted(prefix.rstrip("/").rsplit("/", 1)[-1] for prefix in found)

    def _write(self, key: str, content: bytes) -> None:
        """Raises `version_exists` where other bytes are, `store_unwritable`."""
        try:
            self._client.put_object(Bucket=self._bucket, Key=key, Body=content, IfNoneMatch="*")
        except ClientError as error:
            if error.response["Error"]["Code"] not in _EXISTS:
                raise _unwritable() from None
            if hashlib.sha256(self._read(key)).digest() != hashlib.sha256(content).digest():
                raise version_exists() from None
        except BotoCoreError:
            raise _unwritable() from None

    def _read(self, key: str) -> bytes:
        try:
            found: bytes = self._client.get_object(Bucket=self._bucket, Key=key)["Body"].read()
        except ClientError as error:
            if error.response["Error"]["Code"] in _GONE:
                raise no_artefact() from None
            raise _unwritable() from None
        except BotoCoreError:
            raise _unwritable() from None
        return found


def check_names(folder: Path) -> list[str]:
    """Files that the folder's manifest lists, plain names only. Raises `bad_artefact`."""
    try:
        names = list(ModelManifest.load(folder, verify=False).files)
    except ExportError as error:
        raise bad_artefact(error.code) from None
    if any(Path(name).name != name for name in names):
        raise bad_artefact("a file elsewhere")
    return names


def _unwritable() -> SkynetError:
    return SkynetError("store_unreachable", "The model store does not answer.", 503)
