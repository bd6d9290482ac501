# SPDX-License-Identifier: Apache-2.0
"""`session_price` behind its tensors: a served version, requests run as one batch, typed errors.

What a version says is passed on as long as it is a number above 0: whoever asks holds the bounds
(`bls.phantom.pricing.bounds`), and takes the base price for an error.
"""

from __future__ import annotations

import numpy as np

from bls.contracts import PRICE_GRAPH
from bls.models.batched import F32, Batched, BatchedKind, Faults, probe
from bls.models.onnx_model import OnnxModel
from bls.models.pointer import Target
from bls.phantom.pricer_stats import pricer_stats
from export.errors import ExportError

_PROBE = np.array([[1.0, 1.0, 0.8, 1.2, 0.7, 0.3, 0.4, 0.2]], np.float32)
"""The average item of an average session, in the places of `PriceState`."""

_FAULTS = Faults("bad_state", "STATE must be finite.", "bad_price", "The price failed.")


def load(target: Target) -> OnnxModel:
    """A version that has passed every check, warmed up. Raises `ExportError`, `model_missing`."""
    model = OnnxModel(target.folder, PRICE_GRAPH, target.sha256)
    if model.manifest.name != PRICE_GRAPH.name:
        raise ExportError("model_contract", f"the manifest is of {model.manifest.name}")
    for rows in (1, 24):
        probe(model, PRICE_GRAPH, np.repeat(_PROBE, rows, axis=0), sane)
    return model


def sane(multiplier: F32) -> bool:
    """Finite and above 0, on every row."""
    return bool(np.isfinite(multiplier).all() and (multiplier > 0).all())


class Pricer(Batched):
    """States [n, 8] to multipliers [n, 1]; keys are the rows' session."""

    kind = BatchedKind(PRICE_GRAPH.name, load, pricer_stats, PRICE_GRAPH, sane, _FAULTS)
