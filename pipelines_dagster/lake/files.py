# SPDX-License-Identifier: Apache-2.0
"""The lake's files as they lie in the store, whether a table knows them or not.

Erasing and retention must see every file: one that a crash left behind is no part of any table and
still holds its rows.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from pipelines_dagster.lake.lake import Lake

_AT_ONCE = 1_000
"""Objects that S3 deletes in one call."""


@dataclass(frozen=True)
class Found:
    """A file: path below the lake's root with `/`, bytes, Unix seconds of its last change."""

    path: str
    size: int
    changed: float


class Files(Protocol):
    """Paths are below the lake's root."""

    def find(self, prefix: str) -> Iterator[Found]:
        """Every file below the folder `prefix`, sorted."""

    def read(self, path: str) -> bytes: ...

    def write(self, path: str, content: bytes) -> None:
        """Whole or not at all, in place of what is there."""

    def remove(self, paths: Iterable[str]) -> None:
        """Files that are gone already are no fault."""


def open_files(lake: Lake) -> Files:
    """The files of a lake, in a folder or an S3 bucket."""
    if lake.root.startswith("s3://"):
        return S3Files(lake)
    return FolderFiles(Path(lake.root))


@dataclass(frozen=True)
class FolderFiles:
    """See `Files`."""

    root: Path

    def find(self, prefix: str) -> Iterator[Found]:
        top = str(self.root)
        for folder, folders, names in os.walk(self.root / prefix):
            folders.sort()
            for name in sorted(names):
                path = os.path.join(folder, name)  # noqa: PTH118  (a million of them)
                try:
                    status = os.stat(path)  # noqa: PTH116
                except FileNotFoundError:
                    continue
                yield Found(path[len(top) + 1 :], status.st_size, status.st_mtime)

    def read(self, path: str) -> bytes:
        return (self.root / path).read_bytes()

    def write(self, path: str, content: bytes) -> None:
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        fresh = target.with_name(f".{target.name}.new")
        with fresh.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(target)

    def remove(self, paths: Iterable[str]) -> None:
        folders = set()
        for path in paths:
            target = self.root / path
            target.unlink(missing_ok=True)
            folders.add(target.parent)
        for folder in folders:
            self._prune(folder)

    def _prune(self, folder: Path) -> None:
        """Folders that are empty now, up to the root."""
        while folder != self.root and folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
            folder = folder.parent


class S3Files:
    """See `Files`; keys and region come from `AWS_*`."""

    def __init__(self, lake: Lake) -> None:
        import boto3  # noqa: PLC0415  (slow, and only where the lake is a bucket)

        parts = urlsplit(lake.root)
        self._bucket, self._top = parts.netloc, parts.path.strip("/")
        endpoint = lake.options.get("endpoint_url")
        self._s3: Any = boto3.client("s3", endpoint_url=endpoint)

    def find(self, prefix: str) -> Iterator[Found]:
        pages = self._s3.get_paginator("list_objects_v2")
        where = f"{self._key(prefix)}/"
        for page in pages.paginate(Bucket=self._bucket, Prefix=where.lstrip("/")):
            for one in page.get("Contents", ()):
                path = one["Key"][len(self._top) :].lstrip("/")
                yield Found(path, one["Size"], one["LastModified"].timestamp())

    def read(self, path: str) -> bytes:
        body = self._s3.get_object(Bucket=self._bucket, Key=self._key(path))["Body"]
        content: bytes = body.read()
        return content

    def write(self, path: str, content: bytes) -> None:
        self._s3.put_object(Bucket=self._bucket, Key=self._key(path), Body=content)

    def remove(self, paths: Iterable[str]) -> None:
        keys = [{"Key": self._key(path)} for path in paths]
        for begin in range(0, len(keys), _AT_ONCE):
            some = {"Objects": keys[begin : begin + _AT_ONCE], "Quiet": True}
            self._s3.delete_objects(Bucket=self._bucket, Delete=some)

    def _key(self, path: str) -> str:
        return f"{self._top}/{path}".strip("/")
