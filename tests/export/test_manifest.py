# SPDX-License-Identifier: Apache-2.0
"""The manifest refuses anything but exactly what was exported."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from export.errors import ExportError
from export.manifest import LLMManifest


@pytest.fixture
def folder(tiny_llm: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_llm, tmp_path / "model"))


def _refusal(folder: Path) -> str:
    with pytest.raises(ExportError) as caught:
        LLMManifest.load(folder)
    return caught.value.code


def _edit(folder: Path, **changes: Any) -> None:
    path = folder / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_an_intact_folder_loads(folder: Path) -> None:
    manifest = LLMManifest.load(folder)
    assert manifest.name == "tiny-0"
    assert manifest.special_tokens["<|im_end|>"] in manifest.eos_ids
    graphs = {"model.onnx", "model.onnx.data", "model_lora.onnx"}
    assert set(manifest.files) == graphs | {"tokenizer.json"}


@pytest.mark.parametrize("name", ["model.onnx", "model.onnx.data", "tokenizer.json"])
def test_one_changed_byte_is_noticed(folder: Path, name: str) -> None:
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / name).write_bytes(content)
    assert _refusal(folder) == "manifest_tampered"
    assert LLMManifest.load(folder, verify=False).layers == 2


def test_missing_files_are_named(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()
    assert _refusal(folder) == "file_missing"
    (folder / "manifest.json").unlink()
    assert _refusal(folder) == "manifest_missing"


def test_files_outside_the_folder_are_refused(folder: Path) -> None:
    _edit(folder, files={"../model/model.onnx": "0" * 64})
    assert _refusal(folder) == "file_missing"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"schema_version": 2}, "manifest_schema"),
        ({"surprise": 1}, "manifest_invalid"),
        ({"layers": "two"}, "manifest_invalid"),
        ({"files": []}, "manifest_invalid"),
    ],
)
def test_schema_violations_are_refused(folder: Path, changes: dict[str, Any], code: str) -> None:
    _edit(folder, **changes)
    assert _refusal(folder) == code


@pytest.mark.parametrize("content", ["{", "[]", "\xff"])
def test_a_broken_manifest_is_refused(folder: Path, content: str) -> None:
    (folder / "manifest.json").write_text(content, encoding="latin-1")
    assert _refusal(folder) == "manifest_invalid"
