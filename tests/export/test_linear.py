# SPDX-License-Identifier: Apache-2.0
"""One layer's projections on 128 random activations: the int4 operator against float32.

What int8 activations (accuracy level 4, the default) cost is measured here too, relative to the
output's spread. It is not seed case CG-U-08: that compares AWQ with the unquantised FP16 weights,
which are not published with this model, and its absolute 0.02 is below what int8 activations give.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper, numpy_helper

from export.llm.onnx_writer import MICROSOFT
from export.llm.quant import BLOCK, F32, QuantTensor, pack_codes
from export.llm.sources import resolve


def _run(weights: QuantTensor, level: int, x: F32) -> F32:
    node = helper.make_node(
        "MatMulNBits",
        ["x", "codes", "scale"],
        ["y"],
        domain=MICROSOFT,
        K=weights.columns,
        N=weights.rows,
        bits=weights.bits,
        block_size=BLOCK,
        accuracy_level=level,
    )
    stored = {"codes": pack_codes(weights), "scale": weights.scale}
    graph = helper.make_graph(
        [node],
        "linear",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["T", weights.columns])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["T", weights.rows])],
        [numpy_helper.from_array(array, name) for name, array in stored.items()],
    )
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid(MICROSOFT, 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=10)
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    centred: F32 = session.run(None, {"x": x})[0]
    if weights.offset is None:
        return centred
    return np.asarray(centred + x.reshape(len(x), -1, BLOCK).sum(axis=-1) @ weights.offset.T)


@pytest.mark.parametrize("kind", ["q", "v", "o", "gate", "down"])
def test_random_activations(real_llm: Path, kind: str) -> None:
    weights = resolve("auto").open().projection(10, kind)
    x = np.random.default_rng(0).standard_normal((128, weights.columns)).astype(np.float32)
    expected = x @ weights.dequantise().T
    assert np.abs(_run(weights, 1, x) - expected).max() < 1e-3
    assert np.abs(_run(weights, 4, x) - expected).max() < 0.08 * expected.std()
