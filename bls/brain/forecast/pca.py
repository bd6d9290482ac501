# SPDX-License-Identifier: Apache-2.0
"""The guard of the projection 150 -> 128: a version without it must not be served.

The projection is part of the graph, so that no caller can leave it out; the matrix travels beside
it as `pca.safetensors`, which the error test and audits read. A version whose manifest does not
list it, or whose file is gone or altered, is refused. Source: competitor_bid C-03.
"""

from __future__ import annotations

from pathlib import Path

from bls.errors import SkynetError
from export.manifest import file_sha256
from export.model_manifest import ModelManifest

PCA = "pca.safetensors"


def check_pca(folder: Path) -> None:
    """Raises `pca_missing` (503), or `ExportError` when the folder has no manifest to ask."""
    expected = ModelManifest.load(folder, verify=False).files.get(PCA)
    matrix = folder / PCA
    if expected is None or not matrix.is_file() or file_sha256(matrix) != expected:
        raise pca_missing()


def pca_missing() -> SkynetError:
    return SkynetError("pca_missing", "The feature projection is not available.", 503)
