# SPDX-License-Identifier: Apache-2.0
"""Centring and PCA of the features: 150 -> 128 (competitor_bid 2.2.1).

Centring comes first: the window's mean is taken off the 15 past values and the mean's own slot
becomes 0, so nothing after it can see the level (corrections, competitor bids 1). Centred values
are held within +-`LIMIT`: an absurd history gives a bounded forecast, never an infinite one.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bls.brain.features import MEAN, PAST
from bls.contracts import CTX, FEATURES
from export.bid_predictor.artefact import PCA_FILE
from export.errors import ExportError
from export.llm.safetensors_file import SafetensorsFiles
from export.llm.tiny import write_safetensors

F32 = NDArray[np.float32]

COMPONENTS = CTX
LIMIT = 16.0


@dataclass(frozen=True)
class Pca:
    """`mean` [150] and orthonormal `components` [128, 150]."""

    mean: F32
    components: F32

    def apply(self, centred: NDArray[Any]) -> F32:
        """[n, 150] centred features to [n, 128]."""
        reduced: F32 = ((centred - self.mean) @ self.components.T).astype(np.float32)
        return reduced

    def inverse(self, reduced: NDArray[Any]) -> F32:
        """[n, 128] back to [n, 150] centred features."""
        restored: F32 = (reduced @ self.components + self.mean).astype(np.float32)
        return restored

    def save(self, folder: Path) -> None:
        """Write `pca.safetensors`."""
        write_safetensors(folder / PCA_FILE, {"mean": self.mean, "components": self.components})


def centre(features: NDArray[Any]) -> tuple[F32, F32]:
    """(centred [n, 150] within +-LIMIT, the windows' means [n])."""
    centred = np.array(features, np.float32)
    mean = centred[:, PAST].mean(axis=1)
    centred[:, PAST] -= mean[:, None]
    centred[:, MEAN] = 0
    return np.clip(centred, -LIMIT, LIMIT), mean


def fit(features: NDArray[Any]) -> Pca:
    """The 128 leading components of centred features, each with its largest weight positive."""
    centred, _ = centre(features)
    rows = centred.astype(np.float64)
    mean = rows.mean(axis=0)
    covariance = (rows - mean).T @ (rows - mean) / len(rows)
    _, vectors = np.linalg.eigh(covariance)
    components = vectors[:, ::-1][:, :COMPONENTS].T
    largest = np.take_along_axis(components, np.abs(components).argmax(1)[:, None], axis=1)
    return Pca(mean.astype(np.float32), (components * np.sign(largest)).astype(np.float32))


def load(folder: Path) -> Pca:
    """Read `pca.safetensors`. Raises `ExportError` `pca_missing` where it is absent or misshapen:
    features are never passed on unreduced."""
    if not (folder / PCA_FILE).is_file():
        raise ExportError("pca_missing", "the PCA of the bid features is missing")
    stored = SafetensorsFiles(folder)
    pca = Pca(stored.floats("mean"), stored.floats("components"))
    if pca.mean.shape != (FEATURES,) or pca.components.shape != (COMPONENTS, FEATURES):
        raise ExportError("pca_missing", "the PCA of the bid features has another shape")
    return pca


def cosine_drop(pca: Pca, features: NDArray[Any]) -> float:
    """Mean of 1 - cos between centred features and what the PCA keeps of them (CBP-U-03)."""
    centred, _ = centre(features)
    restored = pca.inverse(pca.apply(centred))
    norms = np.linalg.norm(centred, axis=1) * np.linalg.norm(restored, axis=1)
    return float(np.mean(1 - np.sum(centred * restored, axis=1) / np.maximum(norms, 1e-12)))
