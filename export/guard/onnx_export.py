# SPDX-License-Identifier: Apache-2.0
"""The classifier as ONNX with int8 weights: the graph `bls.policy.onnx_classifier` takes."""

from __future__ import annotations

import tempfile
import warnings
from pathlib import Path

import torch

from export.guard.network import Unsafe
from export.tve.onnx_export import OPSET, write_int8

MODEL = "model.onnx"
INPUTS = {"input_ids": "INT64[-1,-1]", "attention_mask": "INT64[-1,-1]"}
OUTPUTS = {"unsafe": "FP32[-1]"}
_FREE = {name: {0: "rows", 1: "tokens"} for name in INPUTS} | {"unsafe": {0: "rows"}}


def write(model: Unsafe, path: Path) -> None:
    """input_ids, attention_mask int64 [n, L] -> unsafe f32 [n]; rows and tokens are free."""
    example = (torch.ones(2, 8, dtype=torch.int64), torch.ones(2, 8, dtype=torch.int64))
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's deprecation; constants in the trace
        exact = Path(folder) / MODEL
        torch.onnx.export(
            model.eval(),
            example,
            str(exact),
            dynamo=False,
            input_names=list(INPUTS),
            output_names=list(OUTPUTS),
            dynamic_axes=_FREE,
            opset_version=OPSET,
        )
        write_int8(exact, path)
