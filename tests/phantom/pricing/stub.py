# SPDX-License-Identifier: Apache-2.0
"""Tiny versions of `session_price`, and a shop of three items, made in a moment."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from bls.contracts import PriceState
from bls.phantom.session import Mode
from bls.phantom.shop import Catalogue, Item
from export.model_manifest import ModelManifest, hash_files

STATE = len(PriceState)


def item(name: str = "a", floor: int = 80, base: int = 100, ceiling: int = 120) -> Item:
    """Prices in whole units; the cost is half the floor."""
    unit = 1_000_000
    prices = (floor * unit // 2, floor * unit, base * unit, ceiling * unit)
    return Item(name, name, "", {}, ("2026-01-01", "2027-01-01"), *prices)


def shop(mode: Mode = "hotel") -> Catalogue:
    items = [item("a"), item("b", 40, 50, 55), item("c", 10, 10, 10)]
    return Catalogue(mode, "EUR", {one.item: one for one in items})


def linear(weight: Sequence[float], bias: float) -> bytes:
    """MULTIPLIER = STATE w + b."""
    nodes = [helper.make_node("Gemm", ["STATE", "w", "b"], ["MULTIPLIER"])]
    constants = [
        numpy_helper.from_array(np.array(weight, np.float32).reshape(STATE, 1), "w"),
        numpy_helper.from_array(np.array([bias], np.float32), "b"),
    ]
    return graph(nodes, constants)


def graph(nodes: Sequence[onnx.NodeProto], constants: Sequence[onnx.TensorProto]) -> bytes:
    """Any graph from STATE f32 [n, 8] to MULTIPLIER f32 [n, 1]."""
    model = helper.make_model(
        helper.make_graph(
            list(nodes),
            "stub",
            [helper.make_tensor_value_info("STATE", TensorProto.FLOAT, ["n", STATE])],
            [helper.make_tensor_value_info("MULTIPLIER", TensorProto.FLOAT, ["n", 1])],
            list(constants),
        ),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=8,
    )
    onnx.checker.check_model(model)
    content: bytes = model.SerializeToString()
    return content


def write_version(
    folder: Path, bias: float = 1.1, version: str = "1", content: bytes | None = None
) -> Path:
    """A folder with `model.onnx` and its manifest; by default the same multiplier for all."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.onnx").write_bytes(content or linear([0.0] * STATE, bias))
    ModelManifest(
        name="session_price",
        version=version,
        files=hash_files(folder, ["model.onnx"]),
        inputs={"STATE": "FP32[-1,8]"},
        outputs={"MULTIPLIER": "FP32[-1,1]"},
        metrics={},
        dataset_sha256="0" * 64,
        seed=0,
        created_by="tests/phantom/pricing/stub.py",
    ).write(folder)
    return folder
