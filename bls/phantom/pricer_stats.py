# SPDX-License-Identifier: Apache-2.0
"""Running totals of `session_price`, shown as `phantom_price_*` series."""

from __future__ import annotations

from bls.models.batch_stats import BatchStats, counters
from bls.totals import Latency

_BUCKETS_S = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05)

COUNTERS = counters("phantom_price", "Pages priced, one per request", "Items of them")


def pricer_stats() -> BatchStats:
    return BatchStats(Latency(*_BUCKETS_S))
