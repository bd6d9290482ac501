# SPDX-License-Identifier: Apache-2.0
"""`model_lora.onnx`: the decoder again, with low-rank adapters chosen per row.

It is `model.onnx` with a few nodes more and reads the same weights file. For a row with an adapter
the packed Q, K, V of every layer get

    q += (x A_q) B_q        v += (x A_v) B_v        (Hu et al. 2021, arXiv 2106.09685, eq. 3; the
                                                     pair it recommends in section 7.1)

with the scale alpha/r inside B. Further inputs, G being the rows that have an adapter:

    lora_rows  int64 [G]     which of the B rows, each once
    lora_slot  int64 [G]     the adapter of each, 0 .. n - 1
    lora_q_a   f32 [n * layers, hidden, RANK]    adapter s of layer l at s * layers + l
    lora_q_b   f32 [n * layers, RANK, heads * head_dim]
    lora_v_a, lora_v_b       the same for V: [.., kv_heads * head_dim]

The other rows are never touched, so theirs are the bits of the plain graph. A row's delta is a
product of its own, so it does not depend on who else is in the batch.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from export.llm.config import LlamaConfig
from export.manifest import LORA, PLAIN

RANK = 64
TARGETS = ("q", "v")
_SHAPES = ("tokens", "hidden_shape")


def target_widths(config: LlamaConfig) -> dict[str, int]:
    """Output width of each projection that an adapter changes."""
    return {
        "q": config.attention,
        "v": config.kv_heads * config.head_dim,
    }


def write_lora_graph(folder: Path, config: LlamaConfig) -> None:
    """Write `model_lora.onnx` beside the `model.onnx` that it is made from."""
    model = onnx.load(str(folder / PLAIN), load_external_data=False)
    _Surgeon(model, config).add()
    (folder / LORA).write_bytes(model.SerializeToString(deterministic=True))


class _Surgeon:
    """Puts the adapters' nodes before the attention of every layer."""

    def __init__(self, model: ModelProto, config: LlamaConfig) -> None:
        self._graph, self._config = model.graph, config
        self._new: list[NodeProto] = []

    def add(self) -> None:
        self._inputs()
        nodes = list(self._graph.node)
        self._shared()
        head, self._new = self._new, []
        whole: list[NodeProto] = []
        layer = 0
        for node in nodes:
            if node.op_type == "GroupQueryAttention":
                normed = self._source(nodes, f"layer{layer}.qkv")
                node.input[0] = self._layer(layer, normed, node.input[0])
                whole += self._new
                self._new = []
                layer += 1
            whole.append(node)
        after = 1 + max(i for i, node in enumerate(whole) if node.output[0] in _SHAPES)
        del self._graph.node[:]
        self._graph.node.extend([*whole[:after], *head, *whole[after:]])

    def _inputs(self) -> None:
        config, rows = self._config, "lora_layers"
        for name in ("lora_rows", "lora_slot"):
            self._input(name, TensorProto.INT64, ["G"])
        for kind, width in target_widths(config).items():
            self._input(f"lora_{kind}_a", TensorProto.FLOAT, [rows, config.hidden, RANK])
            self._input(f"lora_{kind}_b", TensorProto.FLOAT, [rows, RANK, width])
        for name, values in {
            "lora_layers_each": [config.layers],
            "lora_columns": [-1, 1],
            "lora_zero_axis": [0],
            "lora_k_width": [config.kv_heads * config.head_dim],
        }.items():
            self._constant(name, np.array(values, np.int64))
        self._constant("lora_zero", np.zeros(1, np.float32))
        for layer in range(config.layers):
            self._constant(f"lora_layer_{layer}", np.array([layer], np.int64))

    def _shared(self) -> None:
        """What all layers use: row indices as a column, first slots, zeros in the place of K."""
        self._node("Reshape", ["lora_rows", "lora_columns"], "lora_indices")
        self._node("Mul", ["lora_slot", "lora_layers_each"], "lora_first")
        self._node("Shape", ["lora_rows"], "lora_count")
        self._node("Shape", ["input_ids"], "lora_length", start=1)
        parts = ["lora_count", "lora_length", "lora_k_width"]
        self._node("Concat", parts, "lora_k_shape", axis=0)
        self._node("Expand", ["lora_zero", "lora_k_shape"], "lora_k")

    def _layer(self, layer: int, normed: str, packed: str) -> str:
        """The packed Q, K, V [B, S, width] with the deltas of the rows that have an adapter."""
        at = f"layer{layer}.lora_"
        self._node("Slice", [normed, "lora_zero_axis", "tokens", "lora_zero_axis"], at + "tokens")
        self._node("Reshape", [at + "tokens", "hidden_shape"], at + "3d")
        self._node("Gather", [at + "3d", "lora_rows"], at + "x", axis=0)
        self._node("Add", ["lora_first", f"lora_layer_{layer}"], at + "at")
        deltas = [self._delta(kind, at) for kind in TARGETS]
        self._node("Concat", [deltas[0], "lora_k", deltas[1]], at + "delta", axis=-1)
        scattered = [packed, "lora_indices", at + "delta"]
        return self._node("ScatterND", scattered, at + "qkv", reduction="add")

    def _delta(self, kind: str, at: str) -> str:
        """(x A) B of the chosen rows, [G, S, width]."""
        at += kind
        self._node("Gather", [f"lora_{kind}_a", at[: -len(kind)] + "at"], at + "_a", axis=0)
        self._node("Gather", [f"lora_{kind}_b", at[: -len(kind)] + "at"], at + "_b", axis=0)
        self._node("MatMul", [at[: -len(kind)] + "x", at + "_a"], at + "_low")
        return self._node("MatMul", [at + "_low", at + "_b"], at)

    def _source(self, nodes: list[NodeProto], name: str) -> str:
        """What the projection called `name` (or its centred part) multiplies."""
        found = (n for n in nodes if n.op_type == "MatMulNBits")
        return str(next(n.input[0] for n in found if n.output[0] in (name, f"{name}_centred")))

    def _input(self, name: str, dtype: int, shape: list[int | str]) -> None:
        self._graph.input.append(helper.make_tensor_value_info(name, dtype, shape))

    def _constant(self, name: str, array: npt.NDArray[Any]) -> None:
        self._graph.initializer.append(numpy_helper.from_array(array, name))

    def _node(self, op: str, inputs: list[str], name: str, **attributes: object) -> str:
        self._new.append(helper.make_node(op, inputs, [name], name=name, **attributes))
        return name
