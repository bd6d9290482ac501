# SPDX-License-Identifier: Apache-2.0
"""Versions are written once and whole, in a folder and over the S3 protocol."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from datetime import date
from pathlib import Path

import boto3
import pytest

from bls.errors import SkynetError
from bls.models.model_key import ModelKey
from bls.settings import Settings
from export.manifest import MANIFEST_NAME, file_sha256
from pipelines_dagster.registry.names import Stored, check_path, next_version
from pipelines_dagster.registry.store import (
    ArtefactStore,
    FolderArtefacts,
    local_path,
    open_artefacts,
)
from pipelines_dagster.settings import PipelineSettings

BUCKET = "skynet"


@pytest.fixture
def bucket(endpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ArtefactStore:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    boto3.client("s3", endpoint_url=endpoint).create_bucket(Bucket=BUCKET)
    prefix = re.sub(r"\W", "_", tmp_path.name)
    settings = Settings(state=tmp_path, models=f"s3://{BUCKET}/{prefix}/models")
    return open_artefacts(PipelineSettings(settings, s3_endpoint=endpoint))


@pytest.fixture(params=["folder", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ArtefactStore:
    if request.param == "folder":
        return FolderArtefacts(tmp_path / "models")
    store: ArtefactStore = request.getfixturevalue("bucket")
    return store


@pytest.mark.spec("ORC-U-09")
def test_the_path_is_subsystem_and_version(store: ArtefactStore, made: Path) -> None:
    stored = store.put("pred", "pred_2026_11_22_01", made)
    pattern = r"(s3://skynet/|file:///).*models/pred/pred_2026_11_22_01"
    assert re.fullmatch(pattern, stored.uri)
    folder = store.fetch(stored)
    assert sorted(path.name for path in folder.iterdir()) == [
        "card.md",
        MANIFEST_NAME,
        "model.onnx",
    ]
    assert all(path.stat().st_size > 0 for path in folder.iterdir())
    assert stored.sha256 == file_sha256(folder / MANIFEST_NAME)
    assert ModelKey.of(stored.key().value()).uri == stored.uri  # a server takes this form


def test_a_version_is_never_replaced(store: ArtefactStore, made: Path, other: Path) -> None:
    stored = store.put("pred", "pred_1", made)
    assert store.put("pred", "pred_1", made) == stored  # the same again: no fault
    with pytest.raises(SkynetError) as refused:
        store.put("pred", "pred_1", other)
    assert refused.value.code == "version_exists"
    assert file_sha256(store.fetch(stored) / MANIFEST_NAME) == stored.sha256
    assert store.versions("pred") == ["pred_1"] and store.versions("tve") == []


def test_what_is_spoilt_is_not_stored(store: ArtefactStore, made: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(made, copy)
    (copy / "card.md").write_text("changed")
    with pytest.raises(SkynetError) as refused:
        store.put("pred", "pred_1", copy)
    assert refused.value.code == "bad_artefact"
    with pytest.raises(SkynetError) as refused:
        store.put("pred", "pred_1", tmp_path)
    assert refused.value.code == "no_artefact" and store.versions("pred") == []


def test_another_hash_is_not_fetched(store: ArtefactStore, made: Path) -> None:
    stored = store.put("pred", "pred_1", made)
    with pytest.raises(SkynetError) as refused:
        store.fetch(replace(stored, sha256="0" * 64))
    assert refused.value.code == "bad_artefact"
    for uri in ("file://host/x", "s3://elsewhere/models/pred/pred_1", "file:///nowhere"):
        with pytest.raises(SkynetError) as refused:
            store.fetch(replace(stored, uri=uri))
        assert refused.value.code == "no_artefact"


def test_files_spoilt_in_the_store_are_found(tmp_path: Path, made: Path) -> None:
    store = FolderArtefacts(tmp_path)
    stored = store.put("pred", "pred_1", made)
    (local_path(stored.uri) / "model.onnx").write_bytes(b"")
    with pytest.raises(SkynetError) as refused:
        store.fetch(stored)
    assert refused.value.code == "bad_artefact"


def test_files_spoilt_in_the_bucket_are_found(
    endpoint: str, bucket: ArtefactStore, made: Path
) -> None:
    stored = bucket.put("pred", "pred_1", made)
    key = stored.uri.removeprefix(f"s3://{BUCKET}/") + "/model.onnx"
    boto3.client("s3", endpoint_url=endpoint).put_object(Bucket=BUCKET, Key=key, Body=b"other")
    with pytest.raises(SkynetError) as refused:
        bucket.fetch(stored)
    assert refused.value.code == "bad_artefact"


def test_a_half_written_version_has_no_name(tmp_path: Path, made: Path) -> None:
    """A crash leaves a hidden folder, which is neither listed nor in the way."""
    (tmp_path / "pred" / ".pred_1.abc").mkdir(parents=True)
    store = FolderArtefacts(tmp_path)
    assert store.versions("pred") == []
    store.put("pred", "pred_1", made)
    assert store.versions("pred") == ["pred_1"]


@pytest.mark.spec("ORC-U-09")
@pytest.mark.parametrize(
    ("subsystem", "version"),
    [
        ("pred", "tve_1"),
        ("pred", "pred"),
        ("pred", "pred_../x"),
        ("Pred", "Pred_1"),
        ("pred", "pred_" + "x" * 64),
        ("", "_1"),
    ],
)
def test_other_forms_are_refused(subsystem: str, version: str) -> None:
    with pytest.raises(SkynetError, match="<subsystem>_<name>"):
        check_path(subsystem, version)


def test_names_count_the_days_versions() -> None:
    day = date(2026, 11, 22)
    first = next_version("pred", [], day)
    assert first == "pred_2026_11_22_01"
    assert next_version("pred", [first], day) == "pred_2026_11_22_02"
    full = [f"pred_2026_11_22_{n:02}" for n in range(1, 100)]
    with pytest.raises(SkynetError, match="99 versions"):
        next_version("pred", full, day)


def test_events_name_a_version_by_its_first_digits() -> None:
    assert Stored("pred", "pred_1", "file:///x", "ab" * 32).served == "ab" * 8
