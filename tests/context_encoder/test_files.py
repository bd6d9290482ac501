# SPDX-License-Identifier: Apache-2.0
"""A folder that is not as exported is refused with a code, never used."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bls.brain.context import files
from bls.brain.context.minilm import MiniLM
from bls.errors import SkynetError
from export.context_encoder.write import write
from export.model_manifest import ModelManifest

Change = Callable[[Path], None]


def edit(change: Callable[[dict[str, Any]], object]) -> Change:
    def apply(folder: Path) -> None:
        path = folder / "manifest.json"
        manifest = json.loads(path.read_text())
        change(manifest)
        path.write_text(json.dumps(manifest))

    return apply


def flip(name: str) -> Change:
    def apply(folder: Path) -> None:
        content = bytearray((folder / name).read_bytes())
        content[-1] ^= 1
        (folder / name).write_bytes(bytes(content))

    return apply


def projection(p_k: np.ndarray) -> Change:
    def apply(folder: Path) -> None:
        write(
            folder, p_k.astype(np.float32), version="2", dataset_sha256="0" * 64, seed=1, metrics={}
        )

    return apply


CASES: dict[str, tuple[str, Change]] = {
    "no manifest": ("model_missing", lambda folder: (folder / "manifest.json").unlink()),
    "manifest not JSON": (
        "model_invalid",
        lambda folder: (folder / "manifest.json").write_text("{") and None,
    ),
    "no tokenizer": ("model_missing", lambda folder: (folder / "tokenizer.json").unlink()),
    "another tokenizer": ("model_hash_mismatch", flip("tokenizer.json")),
    "another projection": ("model_hash_mismatch", flip("p_k.safetensors")),
    "no backbone": ("model_invalid", edit(lambda m: m["details"].pop("backbone"))),
    "projection not listed": ("model_invalid", edit(lambda m: m["files"].pop("p_k.safetensors"))),
    "package not installed": (
        "model_missing",
        edit(lambda m: m["details"]["backbone"].update(module="skynet_no_such_package")),
    ),
    "no such file": (
        "model_missing",
        edit(lambda m: m["details"]["backbone"].update(file="other.onnx")),
    ),
    "another MiniLM": (
        "model_hash_mismatch",
        edit(lambda m: m["details"]["backbone"].update(sha256="0" * 64)),
    ),
    "wrong shape": ("model_invalid", projection(np.eye(64, 384))),
    "not orthonormal": ("model_invalid", projection(np.full((128, 384), 0.1))),
}


@pytest.mark.parametrize(("code", "change"), CASES.values(), ids=CASES.keys())
def test_refused(tmp_path: Path, code: str, change: Change) -> None:
    folder = tmp_path / "1"
    shutil.copytree(files.FOLDER, folder)
    change(folder)
    with pytest.raises(SkynetError) as raised:
        files.load(folder)
    assert (raised.value.code, raised.value.status) == (code, 500)
    assert str(tmp_path) not in raised.value.message


@pytest.mark.parametrize("model", [b"", b"not ONNX"])
def test_files_of_another_kind_are_refused(model: bytes) -> None:
    with pytest.raises(SkynetError) as raised:
        MiniLM(model, b"{}")
    assert raised.value.code == "model_invalid"


def test_the_shipped_manifest_tells_the_backbone_and_the_loss() -> None:
    manifest = ModelManifest.load(files.FOLDER)
    assert manifest.details["backbone"] == files.BACKBONE
    assert manifest.metrics["pair_correlation"] > 0.98
