# SPDX-License-Identifier: Apache-2.0
"""The exported graph as it is served."""

from __future__ import annotations

import numpy as np

from export.served_graph import ServedGraph
from pipelines_dagster.phantom.policies.policy import STATE


class OnnxPrice(ServedGraph):
    """MULTIPLIER [n, 1] of STATE [n, 8]."""

    given, found = "STATE", "MULTIPLIER"

    def latency_us(self, rows: int = 60, calls: int = 500) -> tuple[float, float]:
        """(median, 95th percentile) microseconds of one call: a page of `rows` items."""
        state = np.random.default_rng(0).uniform(0, 2, (rows, STATE)).astype(np.float32)
        return self.took_us(state, calls)
