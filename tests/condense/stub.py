# SPDX-License-Identifier: Apache-2.0
"""A version of the summariser whose graph likes early tokens best: its summaries begin windows."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from bls.condense.summariser import END, GRAPHS, HS_BART, SELECTION, TOKENIZER
from bls.contracts import SUMMARY_TOKENS, SUMMARY_WINDOW
from export.model_manifest import ModelManifest, hash_files


def write_version(folder: Path, tokenizer: Path, kind: str = SELECTION) -> Path:
    """`folder` with `model.onnx`, `tokenizer.json` and a manifest."""
    folder.mkdir(parents=True)
    output = _scores if kind == SELECTION else _every_second_place
    onnx.save(output(), str(folder / "model.onnx"))
    shutil.copy(tokenizer, folder / TOKENIZER)
    seal(folder, kind)
    return folder


def seal(folder: Path, kind: str) -> None:
    """Write the manifest of what is there."""
    ModelManifest(
        name="summariser",
        version="1",
        files=hash_files(folder, ("model.onnx", TOKENIZER)),
        inputs={},
        outputs={},
        metrics={},
        dataset_sha256="0" * 64,
        seed=0,
        created_by="a test",
        details={"kind": kind},
    ).write(folder)


def _scores() -> onnx.ModelProto:
    """SCORE = MASK x -place."""
    places = -np.arange(SUMMARY_WINDOW, dtype=np.float32)[None]
    nodes = [
        helper.make_node("Cast", ["MASK"], ["there"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["there", "places"], ["SCORE"]),
    ]
    return _model(SELECTION, nodes, places, TensorProto.FLOAT)


def _every_second_place() -> onnx.ModelProto:
    """PLACE = 0, 2, 4, ... 18, then the end."""
    row = np.full((1, SUMMARY_TOKENS), END, np.int64)
    row[0, :10] = np.arange(0, 20, 2)
    nodes = [
        helper.make_node("ReduceMax", ["MASK"], ["one"], keepdims=1, axes=[1]),
        helper.make_node("Mul", ["one", "places"], ["PLACE"]),
    ]
    return _model(HS_BART, nodes, row, TensorProto.INT64)


def _model(kind: str, nodes: list[onnx.NodeProto], row: np.ndarray, to: int) -> onnx.ModelProto:
    contract = GRAPHS[kind]
    whole = TensorProto.INT64
    inputs = [helper.make_tensor_value_info(t.name, whole, ["n", *t.dims]) for t in contract.inputs]
    outputs = [helper.make_tensor_value_info(t.name, to, ["n", *t.dims]) for t in contract.outputs]
    constant = numpy_helper.from_array(row, "places")
    graph = helper.make_graph(nodes, "stub", inputs, outputs, [constant])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
