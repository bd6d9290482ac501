# SPDX-License-Identifier: Apache-2.0
"""An exported graph of one input and one output as it is served: onnxruntime, one thread."""

from __future__ import annotations

import time
from pathlib import Path
from typing import ClassVar

import numpy as np
import onnxruntime
from numpy.typing import NDArray

F32 = NDArray[np.float32]


class ServedGraph:
    """Runs a graph's bytes or file. A class names its tensors."""

    given: ClassVar[str]
    found: ClassVar[str]

    def __init__(self, model: Path | bytes) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        source = str(model) if isinstance(model, Path) else model
        self._session = onnxruntime.InferenceSession(
            source, options, providers=["CPUExecutionProvider"]
        )

    def run(self, batch: F32) -> F32:
        """`found` of `given`, row by row."""
        (out,) = self._session.run([self.found], {self.given: batch})
        found: F32 = out
        return found

    def took_us(self, batch: F32, calls: int) -> tuple[float, float]:
        """(median, 95th percentile) microseconds of one call."""
        took = []
        for _ in range(calls):
            start = time.perf_counter()
            self.run(batch)
            took.append(1e6 * (time.perf_counter() - start))
        return float(np.median(took)), float(np.percentile(took, 95))
