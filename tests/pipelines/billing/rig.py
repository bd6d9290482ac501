# SPDX-License-Identifier: Apache-2.0
"""What the tests of invoices share: a sink that remembers, days of a lake, a payment service."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from pipelines_dagster.defs.billing.charges import Line
from pipelines_dagster.defs.billing.invoice import Invoice
from pipelines_dagster.defs.billing.period import Period
from pipelines_dagster.lake.lake import Lake


@dataclass
class Kept:
    """A sink that remembers; `fail_after` invoices it dies, once."""

    taken: list[Invoice] = field(default_factory=list)
    fail_after: int = -1

    def send(self, invoice: Invoice) -> None:
        if len(self.taken) == self.fail_after:
            self.fail_after = -1
            raise KeyboardInterrupt
        self.taken.append(invoice)


def days(lake: Lake) -> list[str]:
    return sorted(lake.scan("bronze/e2e_trace").collect()["dt"].unique())


def full(lake: Lake) -> Period:
    """From the first day with receipts to the last."""
    found = days(lake)
    return Period(Period.of_day(found[0]).first, Period.of_day(found[-1]).last)


def busiest(lake: Lake) -> str:
    return str(Counter(lake.scan("bronze/e2e_trace").collect()["dt"]).most_common(1)[0][0])


def line(day: str, micros: int) -> Line:
    return Line(day, 3, 1, 1, micros, micros)


@dataclass
class Service:
    """A payment service over HTTP: answers `statuses` in turn, keeps what it accepts by key."""

    url: str
    statuses: list[int]
    kept: dict[str, Any]
    asked: list[dict[str, str]]
