# SPDX-License-Identifier: Apache-2.0
"""The value model as ONNX: f32, and with int8 weights."""

from __future__ import annotations

import io
import tempfile
import warnings
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import torch
from numpy.typing import NDArray
from onnxruntime.quantization import QuantType, quantize_dynamic

from bls.contracts import AD_TOKENS, CTX
from export.quiet import quiet
from export.tve.model import DualTower

MODEL = "model.onnx"
INPUTS = {
    "CTX": f"FP32[-1,{CTX}]",
    "IDS": "INT64[-1,-1]",
    "MASK": "INT64[-1,-1]",
}
OUTPUTS = {"CURVE": "FP32[-1,4]"}
OPSET = 18
_FREE = {
    "CTX": {0: "rows"},
    "IDS": {0: "rows", 1: "tokens"},
    "MASK": {0: "rows", 1: "tokens"},
    "CURVE": {0: "rows"},
}


def write_f32(model: DualTower, path: Path) -> None:
    """Write the graph CTX, IDS, MASK -> CURVE; rows and tokens (at most 48) are free.

    By tracing: nothing in the model depends on its input's values, and the graph is there in a
    second, where torch's newer exporter takes twenty.
    """
    example = (
        torch.zeros(2, CTX),
        torch.zeros(2, AD_TOKENS, dtype=torch.int64),
        torch.ones(2, AD_TOKENS, dtype=torch.int64),
    )
    traced = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's deprecation; constants in the trace
        torch.onnx.export(
            model.eval(),
            example,
            traced,
            dynamo=False,
            input_names=list(INPUTS),
            output_names=list(OUTPUTS),
            dynamic_axes=_FREE,
            opset_version=OPSET,
        )
    onnx.save(plain(onnx.load_from_string(traced.getvalue())), str(path))


def write_int8(f32: Path, path: Path) -> None:
    """Weights as int8 with one scale per column; activations are quantised as they come."""
    with tempfile.TemporaryDirectory() as folder:
        rough = Path(folder) / MODEL
        with quiet():
            quantize_dynamic(
                str(f32),
                str(rough),
                weight_type=QuantType.QInt8,
                per_channel=True,
                op_types_to_quantize=["MatMul", "Gemm", "Gather"],
                extra_options={"MatMulConstBOnly": True},
            )
        onnx.save(plain(onnx.load(str(rough))), str(path))


def session(path: Path) -> ort.InferenceSession:
    """The graph on one CPU thread: its sums do not depend on how many cores there are."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return ort.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])


def curves(
    running: ort.InferenceSession,
    ctx: NDArray[np.float32],
    ids: NDArray[np.int64],
    mask: NDArray[np.int64],
) -> NDArray[np.float32]:
    """CURVE f32 [n, 4] of many pairs, each as it is served: alone, without padding."""
    found = np.empty((len(ctx), 4), np.float32)
    for row, count in enumerate(mask.sum(1)):
        one = slice(row, row + 1)
        tensors = {"CTX": ctx[one], "IDS": ids[one, :count], "MASK": mask[one, :count]}
        found[row] = running.run(["CURVE"], tensors)[0][0]
    return found


def plain(model: onnx.ModelProto) -> onnx.ModelProto:
    """Without the exporter's notes: they hold source paths and differ from machine to machine."""
    del model.metadata_props[:]
    model.doc_string = ""
    graph = model.graph
    for part in (graph, *graph.node, *graph.input, *graph.output, *graph.initializer):
        part.doc_string = ""
        del part.metadata_props[:]
    del graph.value_info[:]
    return model
