# SPDX-License-Identifier: Apache-2.0
"""Tiny valid versions of `bid_predictor`, made in a moment: mu follows the window's mean."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from bls.brain.features import MEAN
from bls.brain.forecast.pca import PCA
from bls.contracts import FEATURES
from export.llm.tiny import write_safetensors
from export.model_manifest import ModelManifest, hash_files


def graph(bias: Sequence[float], width: int = FEATURES, kind: int = TensorProto.FLOAT) -> bytes:
    """MIXTURE = bias + the window's mean for both mu."""
    weight = np.zeros((width, 5), np.float32)
    weight[min(MEAN, width - 1), [0, 2]] = 1
    node = helper.make_node("Gemm", ["FEATURES", "w", "b"], ["MIXTURE"])
    model = helper.make_model(
        helper.make_graph(
            [node],
            "stub",
            [helper.make_tensor_value_info("FEATURES", kind, ["n", width])],
            [helper.make_tensor_value_info("MIXTURE", TensorProto.FLOAT, ["n", 5])],
            [
                numpy_helper.from_array(weight, "w"),
                numpy_helper.from_array(np.array(bias, np.float32), "b"),
            ],
        ),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=8,
    )
    onnx.checker.check_model(model)
    content: bytes = model.SerializeToString()
    return content


def write_version(
    folder: Path,
    bias: Sequence[float] = (0.0, 0.2, 0.5, 0.4, 0.7),
    version: str = "1",
    content: bytes | None = None,
) -> Path:
    """A folder with `model.onnx`, the PCA's file and their manifest."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.onnx").write_bytes(content or graph(bias))
    write_safetensors(folder / PCA, {"mean": np.zeros(FEATURES, np.float32)})
    ModelManifest(
        name="bid_predictor",
        version=version,
        files=hash_files(folder, ["model.onnx", PCA]),
        inputs={"FEATURES": "FP32[-1,150]"},
        outputs={"MIXTURE": "FP32[-1,5]"},
        metrics={},
        dataset_sha256="0" * 64,
        seed=0,
        created_by="tests/models/stub.py",
    ).write(folder)
    return folder
