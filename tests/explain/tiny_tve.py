# SPDX-License-Identifier: Apache-2.0
"""A value model small enough to be explained by hand: words have weights, and words interact.

    v_max = 10 + 2 ctx[0] + s + 0.1 s^2 + c^3,   s, c: sums of the shown words' weights

The cube makes three words interact; `c` is 0 for every word but `cube`s.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

from export.model_manifest import ModelManifest, hash_files

WORDS = {
    "[PAD]": 7.0,
    "[UNK]": 0.1,
    ".": 0.0,
    "cheap": 3.0,
    "quiet": -2.0,
    "rooms": 1.0,
    "sea": 0.5,
}
CUBES = {"cube_a": 0.5, "cube_b": 1.0, "cube_c": 1.5}
VOCABULARY = {word: number for number, word in enumerate([*WORDS, *CUBES])}


def write(folder: Path) -> Path:
    """The model's folder, as the trained one's."""
    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(_graph(), str(folder / "model.onnx"))
    tokenizer = Tokenizer(models.WordLevel(VOCABULARY, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.enable_padding(length=48, pad_id=0, pad_token="[PAD]")
    (folder / "tokenizer.json").write_text(tokenizer.to_str())
    ModelManifest(
        name="tve",
        version="tiny",
        files=hash_files(folder, ["model.onnx", "tokenizer.json"]),
        inputs={"CTX": "FP32[-1,128]", "IDS": "INT64[-1,-1]", "MASK": "INT64[-1,-1]"},
        outputs={"CURVE": "FP32[-1,4]"},
        metrics={},
        dataset_sha256="0" * 64,
        seed=0,
        created_by="tests",
    ).write(folder)
    return folder


def _graph() -> onnx.ModelProto:
    linear = [*WORDS.values(), *(0.0 for _ in CUBES)]
    cubed = [*(0.0 for _ in WORDS), *CUBES.values()]
    first = np.zeros((128, 1))
    first[0] = 2.0
    tensors = {
        "LINEAR": np.array(linear),
        "CUBED": np.array(cubed),
        "FIRST": first,
        "NONE": np.zeros((128, 3)),
        "TAIL": np.array([[0.5, 4.0, 1.0]]),
        "TEN": np.array([[10.0]]),
        "TENTH": np.array([[0.1]]),
    }
    axis = numpy_helper.from_array(np.array([1], np.int64), "AXIS")
    stored = [numpy_helper.from_array(v.astype(np.float32), k) for k, v in tensors.items()] + [axis]
    node = helper.make_node
    nodes = [
        node("Cast", ["MASK"], ["shown"], to=TensorProto.FLOAT),
        node("Gather", ["LINEAR", "IDS"], ["weights"]),
        node("Mul", ["weights", "shown"], ["counted"]),
        node("ReduceSum", ["counted", "AXIS"], ["s"]),
        node("Gather", ["CUBED", "IDS"], ["cubes"]),
        node("Mul", ["cubes", "shown"], ["counted_cubes"]),
        node("ReduceSum", ["counted_cubes", "AXIS"], ["c"]),
        node("Mul", ["s", "s"], ["s2"]),
        node("Mul", ["s2", "TENTH"], ["pairs"]),
        node("Mul", ["c", "c"], ["c2"]),
        node("Mul", ["c2", "c"], ["triples"]),
        node("MatMul", ["CTX", "FIRST"], ["context"]),
        node("Add", ["context", "TEN"], ["level"]),
        node("Sum", ["level", "s", "pairs", "triples"], ["v_max"]),
        node("MatMul", ["CTX", "NONE"], ["zeros"]),
        node("Add", ["zeros", "TAIL"], ["tail"]),
        node("Concat", ["v_max", "tail"], ["CURVE"], axis=1),
    ]
    info = helper.make_tensor_value_info
    inputs = [
        info("CTX", TensorProto.FLOAT, ["n", 128]),
        info("IDS", TensorProto.INT64, ["n", "t"]),
        info("MASK", TensorProto.INT64, ["n", "t"]),
    ]
    outputs = [info("CURVE", TensorProto.FLOAT, ["n", 4])]
    graph = helper.make_graph(nodes, "tiny", inputs, outputs, stored)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
