# SPDX-License-Identifier: Apache-2.0
"""The real model's ONNX initializers hold exactly the weights of the GGUF file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from export.llm.gguf_checkpoint import GGUFCheckpoint, half_split_order
from export.llm.quant import F32, QuantTensor, unpack_codes
from export.llm.sources import resolve


class Initializers:
    """Arrays of an exported model by name."""

    def __init__(self, folder: Path) -> None:
        model = onnx.load(str(folder / "model.onnx"), load_external_data=False)
        self._folder = str(folder)
        self._tensors = {tensor.name: tensor for tensor in model.graph.initializer}

    def weight(self, name: str, bits: int) -> F32:
        codes = unpack_codes(self._array(name + ".codes"), bits)
        offset = name + ".offset"
        transposed = self._array(offset).T if offset in self._tensors else None
        return QuantTensor(bits, codes, self._array(name + ".scale"), transposed).dequantise()

    def _array(self, name: str) -> Any:
        return numpy_helper.to_array(self._tensors[name], base_dir=self._folder)


@pytest.mark.parametrize("layer", [0, 13, 29])
def test_projections_are_the_source_s(real_llm: Path, layer: int) -> None:
    stored = Initializers(real_llm)
    checkpoint = GGUFCheckpoint(resolve("auto").path, "real")

    def source(name: str) -> F32:
        weight = checkpoint.file.floats(f"blk.{layer}.{name}.weight")
        if name in ("attn_q", "attn_k"):
            return weight[half_split_order(len(weight), checkpoint.config.head_dim)]
        return weight

    expected = {
        "qkv": ("attn_q", "attn_k", "attn_v"),
        "o": ("attn_output",),
        "gate_up": ("ffn_gate", "ffn_up"),
        "down": ("ffn_down",),
    }
    for packed, names in expected.items():
        weight = np.concatenate([source(name) for name in names])
        assert np.array_equal(stored.weight(f"layer{layer}.{packed}", 4), weight), packed


def test_the_embedding_is_the_source_s(real_llm: Path) -> None:
    source = GGUFCheckpoint(resolve("auto").path, "real").file.floats("token_embd.weight")
    assert np.array_equal(Initializers(real_llm).weight("embed", 8), source)
