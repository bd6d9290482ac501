# SPDX-License-Identifier: Apache-2.0
"""Running totals of `bid_predictor`, shown as `cbp_*` series."""

from __future__ import annotations

from dataclasses import dataclass, field

from bls.totals import Latency, Totals

_BUCKETS_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1)
"""Upper bounds; 0.0025 and 0.025 are the seed's targets on a GPU and on a CPU."""


@dataclass
class PredictorStats:
    """Written by the model's one thread.

    Attributes:
        latency: executions that took at most `le` seconds, cumulative.
        errors: requests refused, by code.
        alerts: by name.
    """

    requests: int = 0
    rows: int = 0
    executions: int = 0
    seconds: float = 0.0
    latency: Latency = field(default_factory=lambda: Latency(*_BUCKETS_S))
    errors: Totals = field(default_factory=Totals)
    alerts: Totals = field(default_factory=Totals)

    def executed(self, requests: int, rows: int, seconds: float) -> None:
        self.executions += 1
        self.requests += requests
        self.rows += rows
        self.seconds += seconds
        self.latency.took(seconds)


COUNTERS = {
    "cbp_requests_total": ("requests", "Predictions asked for, one per reply and token"),
    "cbp_rows_total": ("rows", "Rows of them"),
    "cbp_seconds_total": ("seconds", "Seconds spent on them"),
    "cbp_executions_total": ("executions", "Batches they came in"),
    "cbp_latency_seconds_bucket": ("latency", "Batches by the seconds they took, cumulative"),
    "cbp_errors_total": ("errors", "Predictions refused, by code"),
    "cbp_alerts_total": ("alerts", "Alerts raised, by name"),
}
GAUGES: dict[str, tuple[str, str]] = {}
