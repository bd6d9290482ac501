# SPDX-License-Identifier: Apache-2.0
"""A version folder with a real, tiny graph."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from export.model_manifest import ModelManifest, hash_files


def write_version(folder: Path, mark: str = "one") -> Path:
    """FEATURES [n, 3] -> MIXTURE [n, 3], and its manifest."""
    folder.mkdir(parents=True)
    tensors = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 3])
        for name in ("FEATURES", "MIXTURE")
    ]
    node = helper.make_node("Identity", ["FEATURES"], ["MIXTURE"])
    graph = helper.make_graph([node], mark, tensors[:1], tensors[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.save(model, str(folder / "model.onnx"))
    (folder / "card.md").write_text(mark)
    (folder / "scratch.bin").write_bytes(b"not listed")
    ModelManifest(
        name="bid_predictor",
        version="1",
        files=hash_files(folder, ["model.onnx", "card.md"]),
        inputs={"FEATURES": "FP32[-1,3]"},
        outputs={"MIXTURE": "FP32[-1,3]"},
        metrics={},
        dataset_sha256="0" * 64,
        seed=0,
        created_by="a test",
    ).write(folder)
    return folder


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_version(tmp_path_factory.mktemp("made") / "one")


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_version(tmp_path_factory.mktemp("made") / "two", "two")
