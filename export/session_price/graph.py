# SPDX-License-Identifier: Apache-2.0
"""A shared item network as one ONNX file: STATE f32 [n, 8] -> MULTIPLIER f32 [n, 1].

Cutting, scaling, layers, argmax and the levels are all inside, so a server does nothing but feed
rows. Written node by node: the same weights always give the same bytes. A row's answer does not
depend on the rows beside it, and not-a-number in a feature counts as its middle.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from bls.contracts import MULTIPLIERS
from export.llm.onnx_writer import OPSET
from pipelines_dagster.phantom.policies.network import NetworkPolicy
from pipelines_dagster.phantom.policies.policy import STATE
from pipelines_dagster.phantom.policies.scaling import CENTRE, CUT, HALF, LOGARITHM

_IR_VERSION = 10


def build(policy: NetworkPolicy) -> onnx.ModelProto:
    """The graph of `policy`, checked by onnx."""
    nodes: list[onnx.NodeProto] = []
    held: dict[str, NDArray[Any]] = {
        "centre": CENTRE,
        "one": np.ones(1, np.float32),
        "by_logarithm": LOGARITHM,
        "least": CUT[0],
        "most": CUT[1],
        "scale": policy.mask / HALF,
        "levels": np.array(MULTIPLIERS, np.float32),
    }

    def op(kind: str, name: str, *inputs: str, **attributes: Any) -> str:
        nodes.append(helper.make_node(kind, inputs, [name], name=name, **attributes))
        return name

    absent = op("IsNaN", "absent", "STATE")
    told = op("Where", "told", absent, "least", "STATE")
    cut = op("Min", "cut", op("Max", "raised", told, "least"), "most")
    log = op("Log", "log", op("Add", "more", cut, "one"))
    taken = op("Where", "taken", "by_logarithm", log, cut)
    known = op("Where", "known", absent, "centre", taken)
    x = op("Mul", "scaled", op("Sub", "centred", known, "centre"), "scale")
    for at, layer in enumerate(policy.layers):
        held |= {f"{at}.weight": layer.weight, f"{at}.bias": layer.bias}
        x = op("Add", f"{at}.sum", op("MatMul", f"{at}.product", x, f"{at}.weight"), f"{at}.bias")
        if at + 1 < len(policy.layers):
            x = op("Tanh", f"{at}.tanh", x)
    best = op("ArgMax", "best", x, axis=1, keepdims=1)
    op("Gather", "MULTIPLIER", "levels", best)
    graph = helper.make_graph(
        nodes,
        "session_price",
        [helper.make_tensor_value_info("STATE", TensorProto.FLOAT, ["n", STATE])],
        [helper.make_tensor_value_info("MULTIPLIER", TensorProto.FLOAT, ["n", 1])],
        [numpy_helper.from_array(np.ascontiguousarray(held[name]), name) for name in held],
    )
    opsets = [helper.make_opsetid("", OPSET)]
    model = helper.make_model(
        graph, opset_imports=opsets, ir_version=_IR_VERSION, producer_name="skynet-export"
    )
    onnx.checker.check_model(model, full_check=True)
    return model


def write(model: onnx.ModelProto, path: Path) -> None:
    """The same model gives the same bytes."""
    path.write_bytes(model.SerializeToString(deterministic=True))
