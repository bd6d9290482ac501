# SPDX-License-Identifier: Apache-2.0
"""Running totals of a model that runs its requests as one batch."""

from __future__ import annotations

from dataclasses import dataclass

from bls.models.run_stats import RunStats

Series = dict[str, tuple[str, str]]


@dataclass
class BatchStats(RunStats):
    """A run is an execution."""

    executions: int = 0

    def executed(self, requests: int, rows: int, seconds: float) -> None:
        self.executions += 1
        self.answered(rows, seconds, requests)


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
