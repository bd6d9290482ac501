# SPDX-License-Identifier: Apache-2.0
"""Running totals of `tve`, shown as `tve_*` series."""

from __future__ import annotations

from dataclasses import dataclass, field

from bls.models.run_stats import RunStats
from bls.totals import Latency

_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.06, 0.1, 0.25)
"""Upper bounds; 0.01 and 0.06 are the seed's targets on a GPU and on a CPU."""


@dataclass
class TveStats(RunStats):
    """A run is a request.

    Attributes:
        param_errors: those of the `errors` that are of the curve's guard.
    """

    latency: Latency = field(default_factory=lambda: Latency(*_BUCKETS_S))
    param_errors: int = 0


COUNTERS = {
    "tve_requests_total": ("requests", "Estimates asked for, one per reply"),
    "tve_rows_total": ("rows", "Ads in them"),
    "tve_seconds_total": ("seconds", "Seconds spent on them"),
    "tve_latency_seconds_bucket": ("latency", "Requests by the seconds they took, cumulative"),
    "tve_errors_total": ("errors", "Requests refused, by code"),
    "tve_param_errors_total": ("param_errors", "Requests refused by the curve's guard"),
}
