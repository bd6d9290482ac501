# SPDX-License-Identifier: Apache-2.0
"""The int8 variants that were weighed, made by `onnxruntime.quantization` from the f32 graph.

`dynamic`: int8 weights, activations scaled by the largest value *in the batch*, so that a row's
forecast depends on the rows beside it. `static`: int8 weights and activations, per channel, ranges
measured on training windows. Both leave centring, PCA and the linear path to the head in f32.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime import quantization

from export.bid_predictor.graph import EXACT, write
from export.quiet import quiet

F32 = NDArray[np.float32]


class _Reader(quantization.CalibrationDataReader):  # type: ignore[misc]
    """Calibration batches of 256 rows."""

    def __init__(self, features: F32) -> None:
        self._blocks: Iterator[F32] = iter(np.array_split(features, max(1, len(features) // 256)))

    def get_next(self) -> dict[str, Any] | None:
        block = next(self._blocks, None)
        return None if block is None else {"FEATURES": block}


def dynamic(model: onnx.ModelProto) -> bytes:
    """Weights int8 per channel, activations quantised call by call."""
    with tempfile.TemporaryDirectory() as folder, quiet():
        source, target = _paths(folder, model)
        quantization.quantize_dynamic(
            source,
            target,
            per_channel=True,
            op_types_to_quantize=["MatMul"],
            weight_type=quantization.QuantType.QInt8,
            nodes_to_exclude=list(EXACT),
        )
        return target.read_bytes()


def static(model: onnx.ModelProto, features: F32) -> bytes:
    """Weights int8 per channel, activations int8 with fixed ranges (QDQ)."""
    with tempfile.TemporaryDirectory() as folder, quiet():
        source, target = _paths(folder, model)
        quantization.quantize_static(
            source,
            target,
            _Reader(features),
            per_channel=True,
            op_types_to_quantize=["MatMul"],
            weight_type=quantization.QuantType.QInt8,
            activation_type=quantization.QuantType.QUInt8,
            nodes_to_exclude=list(EXACT),
        )
        return target.read_bytes()


def _paths(folder: str, model: onnx.ModelProto) -> tuple[Path, Path]:
    source = Path(folder) / "f32.onnx"
    write(model, source)
    return source, Path(folder) / "int8.onnx"
