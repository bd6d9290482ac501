# SPDX-License-Identifier: Apache-2.0
"""Where a model key may point: inside the models folder, or a store that gives what was hashed."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bls.errors import SkynetError
from bls.models import fetch as fetching
from bls.models.model_key import ModelKey
from bls.models.places import Places
from bls.models.pointer import Target
from export.errors import ExportError
from export.manifest import file_sha256
from tests.models.stub import write_version


@pytest.fixture
def places(tmp_path: Path) -> Places:
    (tmp_path / "models").mkdir()
    return Places(tmp_path / "models", tmp_path / "cache")


def at(uri: str, sha256: str = "0" * 64) -> Target:
    return Target("v", Path(), sha256, uri)


def code_of(places: Places, target: Target) -> str:
    with pytest.raises(ExportError) as caught:
        places.folder(target)
    return caught.value.code


def test_a_folder_inside_is_taken(places: Places) -> None:
    folder = write_version(places.root / "pred" / "v 1")
    assert places.folder(at(folder.as_uri())) == folder.resolve()
    assert places.folder(Target("v", folder, "")) == folder, "without a key, as it is"


def test_places_outside_are_refused(places: Places, tmp_path: Path) -> None:
    outside = write_version(tmp_path / "elsewhere")
    linked = places.root / "link"
    linked.symlink_to(outside)
    leak = write_version(places.root / "leak")
    (leak / "model.onnx").unlink()
    (leak / "model.onnx").symlink_to(outside / "model.onnx")
    up = f"file://{places.root}/../elsewhere"
    hidden = f"file://{places.root}/%2e%2e/elsewhere"
    for uri in (outside.as_uri(), linked.as_uri(), leak.as_uri(), up, hidden, "file:///etc"):
        assert code_of(places, at(uri)) == "model_outside", uri
    assert code_of(places, at(places.root.as_uri())) == "model_outside"


@pytest.mark.parametrize("uri", ["file:///nowhere/at/all", "file:///a%00b", "file:///etc/hostname"])
def test_places_that_are_none(places: Places, uri: str) -> None:
    assert code_of(places, at(uri)) == "model_missing"


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"version": "v", "uri": "http://a/b", "sha256": "0" * 64},
        {"version": "v", "uri": "file:///a", "sha256": "0"},
        {"version": "V 1", "uri": "file:///a", "sha256": "0" * 64},
        {"version": "v", "uri": "file:///a", "sha256": "0" * 64, "share": 1.5},
        {"version": "v", "uri": "file:///a", "sha256": "0" * 64, "share": True},
        {"version": "v", "uri": "file:///a", "sha256": "0" * 64, "extra": 1},
    ],
)
def test_values_that_are_no_model_key(value: dict[str, Any]) -> None:
    with pytest.raises(SkynetError) as caught:
        ModelKey.of(value)
    assert caught.value.code == "bad_model_key"


class Bucket:
    """An S3 server's bucket, and versions put into it."""

    def __init__(self, client: Any) -> None:
        self.client = client
        client.create_bucket(Bucket="skynet")

    def upload(self, folder: Path, prefix: str) -> Target:
        for file in folder.iterdir():
            self.client.upload_file(str(file), "skynet", f"{prefix}/{file.name}")
        sha256 = file_sha256(folder / "manifest.json")
        return at(f"s3://skynet/{prefix}", sha256)


@pytest.fixture(scope="module")
def s3() -> Iterator[Bucket]:
    server_module = pytest.importorskip("moto.server")
    boto3 = pytest.importorskip("boto3")
    server = server_module.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    settings = {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "x",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in settings.items():
            patch.setenv(name, value)
        yield Bucket(boto3.client("s3"))
    server.stop()


@pytest.mark.spec("ORC-U-03")
def test_a_version_is_fetched_once_and_checked(places: Places, s3: Bucket, tmp_path: Path) -> None:
    source = write_version(tmp_path / "made")
    target = s3.upload(source, "models/pred/v1")
    folder = places.folder(target)
    assert folder == places.cache / target.sha256
    assert {path.name for path in folder.iterdir()} == {path.name for path in source.iterdir()}
    s3.client.delete_object(Bucket="skynet", Key="models/pred/v1/model.onnx")
    assert places.folder(target) == folder, "from the cache"
    (folder / "model.onnx").write_bytes(b"spoilt")
    assert code_of(places, target) == "s3_unreachable"
    s3.upload(source, "models/pred/v1")
    assert places.folder(target) == folder
    assert file_sha256(folder / "model.onnx") == file_sha256(source / "model.onnx")


def test_what_is_not_what_was_hashed_is_refused(places: Places, s3: Bucket, tmp_path: Path) -> None:
    source = write_version(tmp_path / "made")
    target = s3.upload(source, "v2")
    assert code_of(places, target._replace(sha256="1" * 64)) == "model_hash_mismatch"
    s3.client.put_object(Bucket="skynet", Key="v2/model.onnx", Body=b"other")
    assert code_of(places, target) == "model_hash_mismatch"
    assert code_of(places, target._replace(uri="s3://skynet/none")) == "s3_unreachable"
    manifest = json.loads((source / "manifest.json").read_text())
    manifest["files"] = {"../../evil": "0" * 64}
    (source / "manifest.json").write_text(json.dumps(manifest))
    assert code_of(places, s3.upload(source, "v3")) == "manifest_invalid"
    assert not any(path.is_dir() for path in places.cache.iterdir()), "nothing half-done stays"


def test_a_version_that_is_too_large_is_not_read_whole(
    places: Places, s3: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = s3.upload(write_version(tmp_path / "made"), "v4")
    monkeypatch.setattr(fetching, "VERSION_BYTES", 100)
    assert code_of(places, target) == "model_too_large"


def test_old_versions_leave_the_cache(places: Places, s3: Bucket, tmp_path: Path) -> None:
    for number in range(fetching.KEPT + 2):
        folder = write_version(tmp_path / f"made{number}", version=str(number))
        newest = places.folder(s3.upload(folder, f"many/{number}"))
    assert newest.is_dir() and len(list(places.cache.iterdir())) == fetching.KEPT


def test_what_is_used_stays_in_the_cache(places: Places, s3: Bucket, tmp_path: Path) -> None:
    """Others go first, as do leftovers of a killed fetch, but not one that is under way."""
    target = s3.upload(write_version(tmp_path / "made", version="used"), "used")
    used, new = places.folder(target), places.cache / "fetch-new"
    new.mkdir()
    old = places.cache / "fetch-old"
    old.mkdir()
    for folder in (used, old):
        os.utime(folder, (1, 1))
    assert places.folder(target) == used and used.stat().st_mtime > 1
    for number in range(fetching.KEPT):
        (places.cache / f"{number:064d}").mkdir()
        os.utime(places.cache / f"{number:064d}", (number + 2, number + 2))
    places.folder(s3.upload(write_version(tmp_path / "other", version="other"), "other"))
    assert used.is_dir() and new.is_dir() and not old.exists()
    assert not (places.cache / f"{0:064d}").exists()


def test_a_faster_process_keeps_its_version(places: Places, s3: Bucket, tmp_path: Path) -> None:
    source = write_version(tmp_path / "made", version="raced")
    target = s3.upload(source, "raced")
    theirs = places.cache / target.sha256
    real = fetching._settle

    def late(*places_: Path) -> None:
        shutil.copytree(source, theirs)
        (theirs / "mark").touch()
        real(*places_)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fetching, "_settle", late)
        assert places.folder(target) == theirs
    assert (theirs / "mark").exists()


def test_without_boto3_it_says_so(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "boto3", None)
    assert code_of(places, at("s3://skynet/v")) == "s3_missing"
