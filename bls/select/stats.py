# SPDX-License-Identifier: Apache-2.0
"""Running totals of `select`, shown as `mro_*` series."""

from __future__ import annotations

from dataclasses import dataclass, field

from bls.totals import Latency, Totals

_BUCKETS_S = (0.0005, 0.001, 0.002, 0.003, 0.005, 0.008, 0.02, 0.05, 0.25)
"""Upper bounds; 0.005 and 0.05 are the seed's targets on a GPU and on a laptop."""


@dataclass
class SelectStats:
    """Attributes:
    empty: answers without a creative.
    explored: answers whose first creative was drawn at random; `able` could have been.
    gated: candidates taken out, by gate.
    no_cpm: campaigns whose value is somebody else's median.
    played: answers by the bucket of lambda_sem, rounded.
    shown: creatives that got a row.
    unconfirmed: confirmations of answers that are not remembered (any more).
    selfsim: |z z - 1| of the last context.
    """

    answers: int = 0
    empty: int = 0
    explored: int = 0
    seconds: float = 0.0
    no_cpm: int = 0
    shown: int = 0
    unconfirmed: int = 0
    selfsim: float = 0.0
    latency: Latency = field(default_factory=lambda: Latency(*_BUCKETS_S))
    gated: Totals = field(default_factory=Totals)
    played: Totals = field(default_factory=Totals)
    errors: Totals = field(default_factory=Totals)

    @property
    def eps_observed(self) -> float:
        """Share of the answers with a creative that explored."""
        return self.explored / max(1, self.answers - self.empty)

    @property
    def budget_hits(self) -> float:
        """Candidates whose advertiser has nothing left to spend."""
        return self.gated.of(gate="funds")


COUNTERS = {
    "mro_selects_total": ("answers", "Questions that were answered"),
    "mro_empty_total": ("empty", "Answers without a creative"),
    "mro_explored_total": ("explored", "Answers whose first creative was drawn at random"),
    "mro_shown_total": ("shown", "Chosen creatives that got a row"),
    "mro_unconfirmed_total": ("unconfirmed", "Confirmations of answers that are not known"),
    "mro_select_seconds_total": ("seconds", "Seconds spent on answers"),
    "mro_select_latency_seconds_bucket": ("latency", "Answers by the seconds taken, cumulative"),
    "mro_gated_total": ("gated", "Candidates that were taken out, by gate"),
    "mro_budget_hits_total": ("budget_hits", "Candidates taken out because of their budget"),
    "mro_no_cpm_total": ("no_cpm", "Campaigns whose value was filled in with a median"),
    "mro_lambda_played_total": ("played", "Answers by the bucket of lambda_sem"),
    "mro_select_errors_total": ("errors", "Questions refused and looks that failed, by code"),
}
GAUGES = {
    "mro_eps_observed": ("eps_observed", "Share of the answers that explored"),
    "mro_selfsim_max": ("selfsim", "Distance of the last context's norm from 1"),
}
