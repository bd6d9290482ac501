# SPDX-License-Identifier: Apache-2.0
"""A model folder is loaded whole or not at all."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from export.bid_predictor.artefact import MODEL_FILE, PCA_FILE, SHIPPED, load_manifest, verify
from export.errors import ExportError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(SHIPPED, tmp_path / "1"))


def _code(folder: Path) -> str:
    with pytest.raises(ExportError) as caught:
        verify(folder)
    return caught.value.code


def test_the_shipped_folder_is_whole() -> None:
    assert verify(SHIPPED) == load_manifest(SHIPPED)
    assert set(load_manifest(SHIPPED).files) == {MODEL_FILE, PCA_FILE}


def test_a_missing_pca_is_named(folder: Path) -> None:
    (folder / PCA_FILE).unlink()
    assert _code(folder) == "pca_missing"


def test_a_manifest_without_a_pca_is_refused(folder: Path) -> None:
    _edit(folder, files={MODEL_FILE: load_manifest(folder).files[MODEL_FILE]})
    assert _code(folder) == "pca_missing"


def test_missing_and_changed_models_are_named(folder: Path) -> None:
    with (folder / MODEL_FILE).open("ab") as file:
        file.write(b"\0")
    assert _code(folder) == "model_hash_mismatch"
    (folder / MODEL_FILE).unlink()
    assert _code(folder) == "model_missing"
    _edit(folder, files={PCA_FILE: load_manifest(folder).files[PCA_FILE]})
    assert _code(folder) == "model_missing"
    (folder / "manifest.json").unlink()
    assert _code(folder) == "model_missing"


def test_another_feature_layout_is_refused(folder: Path) -> None:
    _edit(folder, details=load_manifest(folder).details | {"feature_layout": 2})
    assert _code(folder) == "features_mismatch"


def _edit(folder: Path, **changes: object) -> None:
    path = folder / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
