# SPDX-License-Identifier: Apache-2.0
"""Running totals of `session_price`, shown as `phantom_price_*` series."""

from __future__ import annotations

from dataclasses import dataclass, field

from bls.totals import Latency, Totals

_BUCKETS_S = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05)


@dataclass
class PricerStats:
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
    "phantom_price_requests_total": ("requests", "Pages priced, one per request"),
    "phantom_price_rows_total": ("rows", "Items of them"),
    "phantom_price_seconds_total": ("seconds", "Seconds spent on them"),
    "phantom_price_executions_total": ("executions", "Batches they came in"),
    "phantom_price_latency_seconds_bucket": ("latency", "Batches by their seconds, cumulative"),
    "phantom_price_errors_total": ("errors", "Pages refused, by code"),
    "phantom_price_alerts_total": ("alerts", "Alerts raised, by name"),
}
GAUGES: dict[str, tuple[str, str]] = {}
