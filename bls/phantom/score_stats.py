# SPDX-License-Identifier: Apache-2.0
"""Running totals of `agent_score`, shown as `phantom_*` series."""

from __future__ import annotations

from dataclasses import dataclass, field

from bls.models.run_stats import RunStats
from bls.totals import Latency

_BUCKETS_S = (0.00025, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05)
"""Upper bounds; 0.002 is the goal of an update, 0.05 is when the gateway stops waiting."""


@dataclass
class ScoreStats(RunStats):
    """A run is a request.

    Attributes:
        agents: scores of at least one half, whose sessions are rather agents.
    """

    latency: Latency = field(default_factory=lambda: Latency(*_BUCKETS_S))
    agents: int = 0


COUNTERS = {
    "phantom_score_requests_total": ("requests", "Scores asked for, one a batch of sessions"),
    "phantom_score_rows_total": ("rows", "Sessions in them"),
    "phantom_score_agents_total": ("agents", "Sessions scored one half or more"),
    "phantom_score_seconds_total": ("seconds", "Seconds spent on them"),
    "phantom_score_latency_seconds_bucket": ("latency", "Requests by seconds, cumulative"),
    "phantom_score_errors_total": ("errors", "Scores refused, by code"),
    "phantom_score_alerts_total": ("alerts", "Alerts raised, by name"),
}
