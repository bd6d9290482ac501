# SPDX-License-Identifier: Apache-2.0
"""Tiny valid versions of `agent_score`: every session gets the same probability."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bls.contracts import AGENT_GRAPH
from bls.phantom.kernels import STATES
from export.agent_score import graph
from export.agent_score.artefact import FEATURE_LAYOUT, MODEL_FILE
from export.agent_score.config import TrainConfig
from export.agent_score.fitted import Fitted
from export.model_manifest import ModelManifest, hash_files


def fitted(mark: float) -> Fitted:
    """Says `mark` of anybody."""
    even = np.full((1, STATES, STATES), 1 / STATES)
    still = 0.5 * even + 0.5 * np.eye(STATES)
    config = TrainConfig(prior=mark, hidden=0, blocks=("acts",))
    layer = np.zeros((2 * STATES, 1)), np.zeros(1)
    zeros, ones = np.zeros(2 * STATES), np.ones(2 * STATES)
    return Fitted(config, even, still, zeros, ones, (layer,))


def write_version(
    folder: Path, mark: float = 0.5, version: str = "1", layout: int = FEATURE_LAYOUT
) -> Path:
    """A folder with `model.onnx` and its manifest."""
    folder.mkdir(parents=True, exist_ok=True)
    graph.write(graph.build(fitted(mark)), folder / MODEL_FILE)
    ModelManifest(
        name=AGENT_GRAPH.name,
        version=version,
        files=hash_files(folder, [MODEL_FILE]),
        inputs={tensor.name: tensor.dtype for tensor in AGENT_GRAPH.inputs},
        outputs={tensor.name: tensor.dtype for tensor in AGENT_GRAPH.outputs},
        metrics={},
        dataset_sha256="0" * 64,
        seed=0,
        created_by="tests/phantom/score/stub.py",
        details={"feature_layout": layout},
    ).write(folder)
    return folder
