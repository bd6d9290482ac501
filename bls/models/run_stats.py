# SPDX-License-Identifier: Apache-2.0
"""Running totals that every served model has."""

from __future__ import annotations

from dataclasses import dataclass, field

from bls.totals import Latency, Totals


@dataclass
class RunStats:
    """Written by the model's one thread.

    Attributes:
        latency: runs that took at most `le` seconds, cumulative.
        errors: requests refused, by code.
        alerts: by name.
    """

    latency: Latency
    requests: int = 0
    rows: int = 0
    seconds: float = 0.0
    errors: Totals = field(default_factory=Totals)
    alerts: Totals = field(default_factory=Totals)

    def answered(self, rows: int, seconds: float, requests: int = 1) -> None:
        """One run, over the rows of so many requests."""
        self.requests += requests
        self.rows += rows
        self.seconds += seconds
        self.latency.took(seconds)
