# SPDX-License-Identifier: Apache-2.0
"""A shipped model's manifest: read back as written, and every change of a file is noticed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from export.errors import ExportError
from export.model_manifest import ModelManifest, dataset_hash, hash_files


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "model.onnx").write_bytes(b"graph")
    _manifest(tmp_path).write(tmp_path)
    return tmp_path


def _manifest(folder: Path) -> ModelManifest:
    return ModelManifest(
        name="m",
        version="1",
        files=hash_files(folder, ["model.onnx"]),
        inputs={"X": "FP32[-1,3]"},
        outputs={"Y": "FP32[-1,1]"},
        metrics={"rmse": 0.1},
        dataset_sha256="0" * 64,
        seed=7,
        created_by="python -m m",
        details={"opset": 17},
    )


def _code(folder: Path) -> str:
    with pytest.raises(ExportError) as caught:
        ModelManifest.load(folder)
    return caught.value.code


def _edit(folder: Path, **changes: Any) -> None:
    path = folder / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_it_is_read_back_as_written(folder: Path) -> None:
    assert ModelManifest.load(folder) == _manifest(folder)
    assert not list(folder.glob(".*"))


def test_a_changed_or_missing_file_is_refused(folder: Path) -> None:
    (folder / "model.onnx").write_bytes(b"grapH")
    assert _code(folder) == "model_hash_mismatch"
    assert ModelManifest.load(folder, verify=False).seed == 7
    (folder / "model.onnx").unlink()
    assert _code(folder) == "model_missing"
    (folder / "manifest.json").unlink()
    assert _code(folder) == "model_missing"
    assert _code(folder / "nowhere") == "model_missing"


def test_a_manifest_is_not_written_over_other_files(folder: Path) -> None:
    manifest = _manifest(folder)
    (folder / "model.onnx").write_bytes(b"other")
    with pytest.raises(ExportError, match="model_hash_mismatch"):
        manifest.write(folder)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"schema_version": 2}, "manifest_schema"),
        ({"colour": "red"}, "manifest_invalid"),
        ({"seed": "7"}, "manifest_invalid"),
        ({"seed": True}, "manifest_invalid"),
        ({"files": []}, "manifest_invalid"),
        ({"files": {"../model.onnx": "0" * 64}}, "model_missing"),
    ],
)
def test_odd_manifests_are_refused(folder: Path, change: dict[str, Any], code: str) -> None:
    _edit(folder, **change)
    assert _code(folder) == code


@pytest.mark.parametrize("text", ["[]", "{", "\udc80"])
def test_what_is_not_a_json_object_is_refused(folder: Path, text: str) -> None:
    (folder / "manifest.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    assert _code(folder) == "manifest_invalid"


def test_the_hash_of_a_dataset_sees_names_and_bytes(tmp_path: Path) -> None:
    (tmp_path / "truth").mkdir()
    (tmp_path / "bids.parquet").write_bytes(b"a")
    (tmp_path / "truth" / "bids.parquet").write_bytes(b"b")
    first = dataset_hash(tmp_path)
    (tmp_path / "truth" / "bids.parquet").rename(tmp_path / "truth" / "tve.parquet")
    second = dataset_hash(tmp_path)
    (tmp_path / "bids.parquet").write_bytes(b"c")
    assert len({first, second, dataset_hash(tmp_path)}) == 3


def test_the_hash_of_what_was_read_ignores_the_rest(tmp_path: Path) -> None:
    (tmp_path / "bids.parquet").write_bytes(b"a")
    first = dataset_hash(tmp_path, ["bids.parquet"])
    (tmp_path / "truth.parquet").write_bytes(b"b")
    assert dataset_hash(tmp_path, ["bids.parquet"]) == first != dataset_hash(tmp_path)
