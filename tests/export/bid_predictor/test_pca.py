# SPDX-License-Identifier: Apache-2.0
"""Centring and the PCA: what is kept, and that a missing one is an error."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bls.brain.features import MEAN, PAST
from export.bid_predictor import pca
from export.bid_predictor.artefact import SHIPPED
from export.bid_predictor.training import sample
from export.bid_predictor.windows import Windows
from export.errors import ExportError
from export.llm.tiny import write_safetensors


@pytest.mark.spec("CBP-U-03")
def test_the_shipped_pca_keeps_the_direction_of_features(windows: Windows) -> None:
    """Vectors of the features' distribution: of isotropic ones 128 of 150 axes cannot keep more
    than cos = sqrt(128 / 150), whatever the matrix."""
    features = sample(windows, 1000, seed=0).features()
    shipped = pca.load(SHIPPED)
    assert pca.cosine_drop(shipped, features) <= 0.03
    isotropic = np.random.default_rng(0).standard_normal((1000, 150)).astype(np.float32)
    assert pca.cosine_drop(shipped, isotropic) == pytest.approx(1 - (128 / 150) ** 0.5, abs=0.02)


def test_components_are_orthonormal(windows: Windows) -> None:
    for one in (pca.load(SHIPPED), pca.fit(sample(windows, 2000, seed=0).features())):
        assert np.allclose(one.components @ one.components.T, np.eye(128), atol=1e-5)


def test_centring_takes_the_level_out_and_bounds_the_rest() -> None:
    features = np.random.default_rng(0).normal(size=(4, 150)).astype(np.float32)
    features[1, PAST] += 3
    features[2, PAST.start] = 1e9
    centred, mean = pca.centre(features)
    assert np.allclose(mean[:2], features[:2, PAST].mean(1))
    assert np.allclose(centred[:2, PAST].mean(1), 0, atol=1e-6)
    assert (centred[:, MEAN] == 0).all()
    assert np.abs(centred).max() <= pca.LIMIT


def test_it_is_read_back_as_saved(tmp_path: Path, windows: Windows) -> None:
    fitted = pca.fit(sample(windows, 500, seed=0).features())
    fitted.save(tmp_path)
    again = pca.load(tmp_path)
    assert np.array_equal(again.mean, fitted.mean)
    assert np.array_equal(again.components, fitted.components)


def test_a_missing_or_misshapen_pca_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="pca_missing"):
        pca.load(tmp_path)
    wrong = {"mean": np.zeros(150, np.float32), "components": np.zeros((64, 150), np.float32)}
    write_safetensors(tmp_path / "pca.safetensors", wrong)
    with pytest.raises(ExportError, match="pca_missing"):
        pca.load(tmp_path)
