# SPDX-License-Identifier: Apache-2.0
"""An ONNX forecaster as it is served."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from export.bid_predictor.windows import Windows
from export.served_graph import ServedGraph


class OnnxForecaster(ServedGraph):
    """MIXTURE [n, 5] of FEATURES [n, 150]; also a `baselines.Model`."""

    given, found = "FEATURES", "MIXTURE"

    def __call__(self, windows: Windows, rows: int = 4096) -> Tensor:
        features = windows.features()
        starts = range(0, len(features), rows)
        return torch.from_numpy(
            np.concatenate([self.run(features[at : at + rows]) for at in starts])
        )

    def latency_us(self, rows: int = 5, calls: int = 500) -> tuple[float, float]:
        """(median, 95th percentile) microseconds of one call."""
        features = np.random.default_rng(0).normal(0, 0.3, (rows, 150)).astype(np.float32)
        return self.took_us(features, calls)
