# SPDX-License-Identifier: Apache-2.0
"""A trained version's weights back out of its graph, so that a training can go on from there.

`export.bid_predictor.graph` wrote them under their names: f32, or int8 with a scale per output.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper

from export.bid_predictor import artefact, pca
from export.bid_predictor.config import TrainConfig
from export.bid_predictor.network import TTTiny
from export.errors import ExportError

F32 = NDArray[np.float32]


def start_from(folder: Path, config: TrainConfig) -> TTTiny:
    """The network of a version, with the PCA it was trained on.

    Raises:
        ExportError: as `artefact.verify`, and `start_mismatch` for a version of other sizes.
    """
    artefact.verify(folder)
    network = TTTiny(config, pca.load(folder))
    model = onnx.load(str(folder / artefact.MODEL_FILE))
    stored = {one.name: numpy_helper.to_array(one) for one in model.graph.initializer}
    state = network.state_dict()
    try:
        for name in state:
            if not name.startswith("pca_"):
                state[name] = torch.from_numpy(_read(stored, name).copy())
        network.load_state_dict(state)
    except (KeyError, RuntimeError):
        raise ExportError("start_mismatch", "the version has another architecture") from None
    return network


def _read(stored: dict[str, NDArray[np.generic]], name: str) -> F32:
    """One tensor as torch has it; the head's is in two parts. Raises `KeyError`."""
    if name in stored:
        return np.asarray(stored[name], np.float32)
    layer = name.removesuffix(".weight")
    if layer == "head":
        return np.concatenate([_matrix(stored, "head"), _matrix(stored, "skip")]).T
    return _matrix(stored, layer).T


def _matrix(stored: dict[str, NDArray[np.generic]], name: str) -> F32:
    """[in, out]."""
    codes = np.asarray(stored[f"{name}.w"], np.float32)
    scale = stored.get(f"{name}.scale")
    return codes if scale is None else codes * np.asarray(scale, np.float32)
