# SPDX-License-Identifier: Apache-2.0
"""The artefact store: version folders in a folder or an S3 bucket, written once and whole.

A version is the files its `manifest.json` lists, and that manifest. What is read back is checked
against the manifest, and the manifest against the SHA-256 that named it.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

from bls.errors import SkynetError
from export.errors import ExportError
from export.manifest import MANIFEST_NAME, file_sha256
from export.model_manifest import ModelManifest
from pipelines_dagster.registry.names import Stored, check_path, version_exists
from pipelines_dagster.settings import PipelineSettings


class ArtefactStore(Protocol):
    """Versions by subsystem."""

    def put(self, subsystem: str, version: str, folder: Path) -> Stored:
        """Keep a folder; putting the same files again is no fault.

        Raises:
            SkynetError: `bad_version`, `bad_artefact` for a folder that is not as its manifest
                says, `version_exists` for a name that has other files.
        """

    def fetch(self, stored: Stored) -> Path:
        """A local folder with its files, checked. Raises `bad_artefact` or `no_artefact`."""

    def versions(self, subsystem: str) -> list[str]:
        """Every name that is taken, sorted."""


class FolderArtefacts:
    """See `ArtefactStore`."""

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()

    def put(self, subsystem: str, version: str, folder: Path) -> Stored:
        target = self._root / check_path(subsystem, version)
        manifest = check(folder)
        stored = Stored(subsystem, version, target.as_uri(), file_sha256(folder / MANIFEST_NAME))
        if target.exists():
            return _same(stored, target)
        target.parent.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(prefix=f".{version}.", dir=target.parent))
        try:
            for name in (*manifest.files, MANIFEST_NAME):
                _copy(folder / name, fresh / name)
            check(fresh, stored.sha256)
            fresh.chmod(0o755)
            fresh.rename(target)
        except OSError:
            if target.exists():
                return _same(stored, target)
            raise SkynetError(
                "store_unwritable", "The model store cannot be written.", 500
            ) from None
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
        _sync(target.parent)
        return stored

    def fetch(self, stored: Stored) -> Path:
        folder = local_path(stored.uri)
        check(folder, stored.sha256)
        return folder

    def versions(self, subsystem: str) -> list[str]:
        folder = self._root / subsystem
        found = folder.iterdir() if folder.is_dir() else ()
        return sorted(path.name for path in found if not path.name.startswith("."))


def check(folder: Path, sha256: str = "") -> ModelManifest:
    """The manifest of a folder that is whole, and the one meant where `sha256` is given.

    Raises:
        SkynetError: `no_artefact` or `bad_artefact`.
    """
    try:
        manifest = ModelManifest.load(folder)
    except ExportError as error:
        missing = error.code == "model_missing" and not (folder / MANIFEST_NAME).is_file()
        raise (no_artefact() if missing else bad_artefact(error.code)) from None
    if sha256 and file_sha256(folder / MANIFEST_NAME) != sha256:
        raise bad_artefact("another manifest")
    return manifest


def local_path(uri: str) -> Path:
    """The folder of a `file:///` URI. Raises `no_artefact` for any other."""
    parts = urlsplit(uri)
    if parts.scheme != "file" or parts.netloc:
        raise no_artefact()
    return Path(unquote(parts.path))


def bad_artefact(why: str) -> SkynetError:
    return SkynetError("bad_artefact", f"The version is not as it was made: {why}.", 409)


def no_artefact() -> SkynetError:
    return SkynetError("no_artefact", "The version is not in the store.", 404)


def open_artefacts(settings: PipelineSettings) -> ArtefactStore:
    """Where `SKYNET_MODELS` says: a folder, or `s3://bucket/prefix`."""
    root = settings.serving.models
    if root.startswith("s3://"):
        from pipelines_dagster.registry.s3 import S3Artefacts  # noqa: PLC0415  (boto3 is slow)

        cache = settings.serving.state / "models.cache"
        return S3Artefacts(root, cache, endpoint=settings.s3_endpoint)
    return FolderArtefacts(settings.serving.models_folder)


def _same(stored: Stored, target: Path) -> Stored:
    if not (target / MANIFEST_NAME).is_file():
        raise version_exists()
    if file_sha256(target / MANIFEST_NAME) != stored.sha256:
        raise version_exists()
    check(target, stored.sha256)
    return stored


def _copy(source: Path, target: Path) -> None:
    shutil.copyfile(source, target)
    _sync(target)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
