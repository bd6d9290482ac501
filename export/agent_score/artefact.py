# SPDX-License-Identifier: Apache-2.0
"""The served folder: model.onnx and manifest.json. `verify` is what a server calls before it loads
the model; standard library only."""

from __future__ import annotations

from pathlib import Path

from export.errors import ExportError
from export.model_manifest import ModelManifest

MODEL_FILE = "model.onnx"
FEATURE_LAYOUT = 1
"""Raised with every change to what `bls.phantom.features` puts where, or to the actions' order."""

SHIPPED = Path(__file__).resolve().parents[2] / "model_repository" / "agent_score" / "1"


def verify(folder: Path) -> ModelManifest:
    """The manifest of a folder that is whole.

    Raises `ExportError`: `model_missing`, `model_hash_mismatch`, `features_mismatch` for another
    feature layout, `manifest_invalid`, `manifest_schema`.
    """
    manifest = ModelManifest.load(folder)
    if MODEL_FILE not in manifest.files:
        raise ExportError("model_missing", f"the manifest lists no {MODEL_FILE}")
    if manifest.details.get("feature_layout") != FEATURE_LAYOUT:
        raise ExportError("features_mismatch", f"expected feature layout {FEATURE_LAYOUT}")
    return manifest
