# SPDX-License-Identifier: Apache-2.0
"""Running totals of `bid_predictor`, shown as `cbp_*` series."""

from __future__ import annotations

from bls.models.batch_stats import BatchStats, counters
from bls.totals import Latency

_BUCKETS_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1)
"""Upper bounds; 0.0025 and 0.025 are the seed's targets on a GPU and on a CPU."""

COUNTERS = counters("cbp", "Predictions asked for, one per reply and token", "Rows of them")


def predictor_stats() -> BatchStats:
    return BatchStats(Latency(*_BUCKETS_S))
