# SPDX-License-Identifier: Apache-2.0
"""The exported graph as it is served: onnxruntime, one thread."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import onnxruntime

from pipelines_dagster.phantom.policies.policy import F32, STATE


class OnnxPrice:
    """Runs a graph's bytes or file."""

    def __init__(self, model: Path | bytes) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        source = str(model) if isinstance(model, Path) else model
        self._session = onnxruntime.InferenceSession(
            source, options, providers=["CPUExecutionProvider"]
        )

    def run(self, state: F32) -> F32:
        """MULTIPLIER [n, 1] of STATE [n, 8]."""
        (out,) = self._session.run(["MULTIPLIER"], {"STATE": state})
        multiplier: F32 = out
        return multiplier

    def latency_us(self, rows: int = 60, calls: int = 500) -> tuple[float, float]:
        """(median, 95th percentile) microseconds of one call: a page of `rows` items."""
        state = np.random.default_rng(0).uniform(0, 2, (rows, STATE)).astype(np.float32)
        took = []
        for _ in range(calls):
            start = time.perf_counter()
            self.run(state)
            took.append(1e6 * (time.perf_counter() - start))
        return float(np.median(took)), float(np.percentile(took, 95))
