# SPDX-License-Identifier: Apache-2.0
"""`bid_predictor` behind its tensors: a served version, requests run as one batch, typed errors.

Anything that would make a forecast wrong is an error of the request instead: features that are not
finite, a version without its PCA, a mixture outside its domain. Source: competitor_bid 2.3, C-03.
"""

from __future__ import annotations

import numpy as np

from bls.brain.forecast.predictor_stats import predictor_stats
from bls.contracts import PREDICTOR_GRAPH
from bls.errors import SkynetError
from bls.models.batched import F32, Batched, BatchedKind, Faults, probe
from bls.models.onnx_model import OnnxModel
from bls.models.pointer import Target
from export.bid_predictor.artefact import verify
from export.errors import ExportError

_FAULTS = Faults("bad_features", "FEATURES must be finite.", "bad_forecast", "The forecast failed.")


def load(target: Target) -> OnnxModel:
    """A version that has passed every check, warmed up.

    The projection 150 -> 128 is part of the graph; its matrix lies beside it, and a version that
    has lost it is not trusted. Raises `pca_missing` (503) then, else `ExportError`.
    """
    try:
        verify(target.folder)
    except ExportError as error:
        if error.code != "pca_missing":
            raise
        raise SkynetError("pca_missing", "The feature projection is not available.", 503) from None
    model = OnnxModel(target.folder, PREDICTOR_GRAPH, target.sha256)
    for rows in (1, 4):
        probe(model, PREDICTOR_GRAPH, np.zeros((rows, *PREDICTOR_GRAPH.inputs[0].dims), "f4"), sane)
    return model


def sane(mixture: F32) -> bool:
    """mu finite, sigma finite and above 0, alpha in [0, 1], on every row."""
    sigma, alpha = mixture[:, [1, 3]], mixture[:, 4]
    domain = (sigma > 0).all() and (alpha >= 0).all() and (alpha <= 1).all()
    return bool(domain and np.isfinite(mixture).all())


class Predictor(Batched):
    """Features [R, 150] to mixtures [R, 5]; keys are the rows' conversations."""

    kind = BatchedKind(PREDICTOR_GRAPH.name, load, predictor_stats, PREDICTOR_GRAPH, sane, _FAULTS)

    def _refused(self, error: SkynetError, why: str) -> None:
        super()._refused(error, why)
        self._note("feature_builder.error", code=error.code, why=why)
