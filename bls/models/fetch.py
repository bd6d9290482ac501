# SPDX-License-Identifier: Apache-2.0
"""A model version from an S3-compatible store: bounded, hashed while it comes, kept by its hash.

Keys, region and endpoint come from the environment (`AWS_*`). boto3 is imported when the first
`s3://` URI is seen: a server that has none needs no boto3.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from export.errors import ExportError
from export.manifest import MANIFEST_NAME
from export.model_manifest import ModelManifest

MANIFEST_BYTES = 1 << 20
VERSION_BYTES = 1 << 30
"""Largest manifest, and largest version whole."""

KEPT = 8
"""Versions that stay in the cache."""

_CHUNK = 1 << 20
_SCRATCH = "fetch-"
_LEFT_S = 3600.0


def fetch(uri: str, sha256: str, cache: Path) -> Path:
    """The folder of the version at `uri`, whose manifest has this SHA-256.

    Raises `ExportError`: `s3_missing` without boto3, `s3_unreachable`, `model_too_large`,
    `model_hash_mismatch`, or the codes of `ModelManifest.load`.
    """
    folder = cache / sha256
    if _whole(folder):
        with suppress(OSError):
            os.utime(folder)  # used lately: others are forgotten first
        return folder
    bucket, _, prefix = uri.removeprefix("s3://").partition("/")
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=_SCRATCH, dir=cache) as scratch:
        fresh = Path(scratch, "version")
        fresh.mkdir()
        _Download(bucket, prefix.strip("/"), fresh).version(sha256)
        _settle(fresh, folder, Path(scratch, "spoilt"))
    _prune(cache, folder)
    return folder


class _Download:
    """Of one version into an empty folder."""

    def __init__(self, bucket: str, prefix: str, folder: Path) -> None:
        try:
            import boto3  # noqa: PLC0415  (only where a key names an s3:// place)
            from botocore.config import Config  # noqa: PLC0415
        except ImportError:
            why = "an s3:// model needs the package boto3"
            raise ExportError("s3_missing", why) from None
        options = Config(connect_timeout=5, read_timeout=20, retries={"max_attempts": 3})
        self._bucket, self._prefix, self._folder = bucket, prefix, folder
        self._client: Any
        try:
            self._client = boto3.client("s3", config=options)
        except Exception as fault:  # no region, a bad endpoint, ...
            raise _unreachable(fault) from None

    def version(self, sha256: str) -> None:
        self._file(MANIFEST_NAME, sha256, MANIFEST_BYTES)
        left = VERSION_BYTES
        for name, wanted in ModelManifest.load(self._folder, verify=False).files.items():
            if Path(name).name != name or name == MANIFEST_NAME:
                raise ExportError("manifest_invalid", "the manifest names a file elsewhere")
            left -= self._file(name, wanted, left)

    def _file(self, name: str, sha256: str, most: int) -> int:
        """Fetch one file; its size."""
        key = f"{self._prefix}/{name}".lstrip("/")
        digest, size = hashlib.sha256(), 0
        try:
            body = self._client.get_object(Bucket=self._bucket, Key=key)["Body"]
            with (self._folder / name).open("wb") as out:
                while (chunk := body.read(_CHUNK)) and size <= most:
                    size += len(chunk)
                    digest.update(chunk)
                    out.write(chunk)
        except Exception as fault:  # botocore raises many types, with addresses in their text
            raise _unreachable(fault) from None
        if size > most:
            raise ExportError("model_too_large", f"{name} is larger than a version may be")
        if digest.hexdigest() != sha256:
            raise ExportError("model_hash_mismatch", f"{name} does not match its SHA-256")
        return size


def _whole(folder: Path) -> bool:
    """Fetched before, and still what was fetched."""
    try:
        ModelManifest.load(folder)
        manifest = (folder / MANIFEST_NAME).read_bytes()
    except (ExportError, OSError):
        return False
    return hashlib.sha256(manifest).hexdigest() == folder.name


def _settle(fresh: Path, folder: Path, aside: Path) -> None:
    """Put a version where it belongs, unless another process was faster."""
    if _whole(folder):
        return
    with suppress(OSError):
        folder.rename(aside)
    try:
        fresh.rename(folder)
    except OSError:
        if not _whole(folder):
            raise


def _prune(cache: Path, newest: Path) -> None:
    """Forget the versions not used for longest, and what killed processes left behind."""
    found = [path for path in cache.iterdir() if len(path.name) == len(newest.name)]
    found.sort(key=_used_at, reverse=True)
    old = time.time() - _LEFT_S
    left = [path for path in cache.glob(f"{_SCRATCH}*") if _used_at(path) < old]
    for folder in (*found[KEPT:], *left):
        shutil.rmtree(folder, ignore_errors=True)


def _used_at(folder: Path) -> float:
    """Unix time; 0 for one that is gone."""
    try:
        return folder.stat().st_mtime
    except OSError:
        return 0.0


def _unreachable(fault: Exception) -> ExportError:
    return ExportError("s3_unreachable", f"the store did not give it: {type(fault).__name__}")
