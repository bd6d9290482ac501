# SPDX-License-Identifier: Apache-2.0
"""Tiny valid versions of `tve`, made in a moment: a fixed curve, v_max plus CTX[0]."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from bls.contracts import CTX
from export.model_manifest import ModelManifest, hash_files
from export.tve.onnx_export import INPUTS, OUTPUTS
from export.tve.tokens import train_tokenizer

CURVE = (2.0, 0.5, 4.0, 0.3)


def graph(curve: Sequence[float]) -> bytes:
    """CURVE = curve + (CTX[0], 0, 0, 0), whatever the ad."""
    weight = np.zeros((CTX, 4), np.float32)
    weight[0, 0] = 1
    ids = [
        helper.make_tensor_value_info(name, TensorProto.INT64, ["n", "t"])
        for name in ("IDS", "MASK")
    ]
    model = helper.make_model(
        helper.make_graph(
            [helper.make_node("Gemm", ["CTX", "w", "b"], ["CURVE"])],
            "stub",
            [helper.make_tensor_value_info("CTX", TensorProto.FLOAT, ["n", CTX]), *ids],
            [helper.make_tensor_value_info("CURVE", TensorProto.FLOAT, ["n", 4])],
            [
                numpy_helper.from_array(weight, "w"),
                numpy_helper.from_array(np.array(curve, np.float32), "b"),
            ],
        ),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=8,
    )
    onnx.checker.check_model(model)
    content: bytes = model.SerializeToString()
    return content


def write_version(folder: Path, curve: Sequence[float] = CURVE, version: str = "1") -> Path:
    """A folder with `model.onnx`, `tokenizer.json` and their manifest."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.onnx").write_bytes(graph(curve))
    tokenizer = train_tokenizer(["a fine ad for a fine hotel, book now"], 300)
    (folder / "tokenizer.json").write_text(tokenizer.to_str())
    return describe(folder, version)


def describe(folder: Path, version: str = "1") -> Path:
    """Write the manifest of the files that are there now."""
    ModelManifest(
        name="tve",
        version=version,
        files=hash_files(folder, ["model.onnx", "tokenizer.json"]),
        inputs=INPUTS,
        outputs=OUTPUTS,
        metrics={},
        dataset_sha256="0" * 64,
        seed=0,
        created_by="tests/tve_server/stub.py",
    ).write(folder)
    return folder
