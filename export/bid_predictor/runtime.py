# SPDX-License-Identifier: Apache-2.0
"""An ONNX forecaster as it is served: one thread, FEATURES in, MIXTURE out."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray
from torch import Tensor

from export.bid_predictor.windows import Windows

F32 = NDArray[np.float32]


class OnnxForecaster:
    """Runs a graph's bytes or file; also a `baselines.Model`."""

    def __init__(self, model: Path | bytes) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        source = str(model) if isinstance(model, Path) else model
        self._session = onnxruntime.InferenceSession(
            source, options, providers=["CPUExecutionProvider"]
        )

    def run(self, features: F32) -> F32:
        """MIXTURE [n, 5] of FEATURES [n, 150]."""
        (out,) = self._session.run(["MIXTURE"], {"FEATURES": features})
        mixture: F32 = out
        return mixture

    def __call__(self, windows: Windows, rows: int = 4096) -> Tensor:
        features = windows.features()
        starts = range(0, len(features), rows)
        return torch.from_numpy(
            np.concatenate([self.run(features[at : at + rows]) for at in starts])
        )

    def latency_us(self, rows: int = 5, calls: int = 500) -> tuple[float, float]:
        """(median, 95th percentile) microseconds of one call."""
        features = np.random.default_rng(0).normal(0, 0.3, (rows, 150)).astype(np.float32)
        took = []
        for _ in range(calls):
            start = time.perf_counter()
            self.run(features)
            took.append(1e6 * (time.perf_counter() - start))
        return float(np.median(took)), float(np.percentile(took, 95))
