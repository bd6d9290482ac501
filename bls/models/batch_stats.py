# SPDX-License-Identifier: Apache-2.0
"""Running totals of a model that runs its requests as one batch."""

from __future__ import annotations

from dataclasses import dataclass, field

from bls.totals import Latency, Totals

Series = dict[str, tuple[str, str]]


@dataclass
class BatchStats:
    """Written by the model's one thread.

    Attributes:
        latency: executions that took at most `le` seconds, cumulative.
        errors: requests refused, by code.
        alerts: by name.
    """

    latency: Latency
    requests: int = 0
    rows: int = 0
    executions: int = 0
    seconds: float = 0.0
    errors: Totals = field(default_factory=Totals)
    alerts: Totals = field(default_factory=Totals)

    def executed(self, requests: int, rows: int, seconds: float) -> None:
        self.executions += 1
        self.requests += requests
        self.rows += rows
        self.seconds += seconds
        self.latency.took(seconds)


def counters(prefix: str, requests: str, rows: str) -> Series:
    """The series of a `BatchStats`; `requests` and `rows` say what these are."""
    return {
        f"{prefix}_requests_total": ("requests", requests),
        f"{prefix}_rows_total": ("rows", rows),
        f"{prefix}_seconds_total": ("seconds", "Seconds spent on them"),
        f"{prefix}_executions_total": ("executions", "Batches they came in"),
        f"{prefix}_latency_seconds_bucket": ("latency", "Batches by their seconds, cumulative"),
        f"{prefix}_errors_total": ("errors", "Requests refused, by code"),
        f"{prefix}_alerts_total": ("alerts", "Alerts raised, by name"),
    }
