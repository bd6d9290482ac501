# SPDX-License-Identifier: Apache-2.0
"""The shipped folder: model.onnx, pca.safetensors (folded into the graph, kept for audits) and
manifest.json. `verify` is what a server calls before it loads the model; standard library only."""

from __future__ import annotations

from pathlib import Path

from export.errors import ExportError
from export.model_manifest import ModelManifest

MODEL_FILE = "model.onnx"
PCA_FILE = "pca.safetensors"
FEATURE_LAYOUT = 1
"""Raised with every change to what `bls.brain.features.build` puts where."""

SHIPPED = Path(__file__).resolve().parents[2] / "model_repository" / "bid_predictor" / "1"


def load_manifest(folder: Path) -> ModelManifest:
    """What the folder says of itself, unchecked. Raises `ExportError` as `ModelManifest.load`."""
    return ModelManifest.load(folder, verify=False)


def verify(folder: Path) -> ModelManifest:
    """The manifest of a folder that is whole.

    Raises `ExportError`: `pca_missing` without the PCA the graph was built with, `model_missing`,
    `model_hash_mismatch`, `features_mismatch` for another feature layout, `manifest_invalid`.
    """
    manifest = load_manifest(folder)
    if PCA_FILE not in manifest.files or not (folder / PCA_FILE).is_file():
        raise ExportError("pca_missing", "the PCA of the bid features is missing")
    if MODEL_FILE not in manifest.files:
        raise ExportError("model_missing", f"the manifest lists no {MODEL_FILE}")
    manifest.verify(folder)
    if manifest.details.get("feature_layout") != FEATURE_LAYOUT:
        raise ExportError("features_mismatch", f"expected feature layout {FEATURE_LAYOUT}")
    return manifest
