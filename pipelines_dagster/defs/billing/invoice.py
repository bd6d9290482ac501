# SPDX-License-Identifier: Apache-2.0
"""One advertiser's invoice: micro-units inside, whole cents outside, the rest carried on.

Money is rounded once per invoice, downwards; what is left under a cent (`carry_out`) is added to
the advertiser's next invoice, so over time nobody pays a micro-unit more or less. A line's amount
is how far it moves the rounded running total: lines add up to the invoice exactly.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from dataclasses import asdict, dataclass
from typing import Any

from pipelines_dagster.defs.billing.charges import Line
from pipelines_dagster.defs.billing.period import Period

MICROS_PER_MINOR = 10_000
"""Micro-units in a cent."""


@dataclass(frozen=True)
class Invoice:
    """`previous`: the number whose remainder is carried in; empty for the first."""

    advertiser: str
    currency: str
    period: Period
    lines: tuple[Line, ...]
    carry_in: int = 0
    previous: str = ""

    @property
    def number(self) -> str:
        """The same for the same advertiser and period, for ever."""
        return f"SKY-{self.period.name}-{self.advertiser}"

    @property
    def idempotency_key(self) -> str:
        return hashlib.sha256(f"skynet invoice {self.number}".encode()).hexdigest()[:32]

    @property
    def total_micros(self) -> int:
        """Charges less refunds."""
        return sum(line.net_micros for line in self.lines)

    @property
    def amount(self) -> int:
        """What is asked for, in minor units."""
        return (self.total_micros + self.carry_in) // MICROS_PER_MINOR

    @property
    def carry_out(self) -> int:
        """Micro-units under a minor unit, for the next invoice."""
        return (self.total_micros + self.carry_in) % MICROS_PER_MINOR

    @property
    def sha256(self) -> str:
        text = json.dumps(self.payload(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def amounts(self) -> list[int]:
        """Of each line, in minor units; they sum to `amount`."""
        amounts, running, before = [], self.carry_in, 0
        for line in self.lines:
            running += line.net_micros
            amounts.append(running // MICROS_PER_MINOR - before)
            before = running // MICROS_PER_MINOR
        return amounts

    def payload(self) -> dict[str, Any]:
        """As a payment service takes it: customer, currency, period, lines in minor units."""
        return {
            "number": self.number,
            "customer": self.advertiser,
            "currency": self.currency.lower(),
            "period": {"start": self.period.days[0], "end": self.period.days[-1]},
            "amount_due": self.amount,
            "lines": [
                {
                    "description": f"Influence on replies, {line.day}",
                    "period": {"start": line.day, "end": line.day},
                    "quantity": line.tokens,
                    "amount": amount,
                    "metadata": _numbers(line),
                }
                for line, amount in zip(self.lines, self.amounts(), strict=True)
            ],
            "metadata": {
                "total_micros": self.total_micros,
                "carry_in_micros": self.carry_in,
                "carry_out_micros": self.carry_out,
                "previous": self.previous,
            },
        }

    def as_csv(self) -> str:
        """A row a line, micro-units and minor units."""
        out = io.StringIO()
        table = csv.writer(out, lineterminator="\n")
        head = ("number", "customer", "day", "tokens", "replies", "impressions")
        table.writerow((*head, "charge_micros", "refund_micros", "amount", "currency"))
        for line, amount in zip(self.lines, self.amounts(), strict=True):
            row = (line.day, line.tokens, line.replies, line.impressions)
            money = (line.charge_micros, line.refund_micros, amount)
            table.writerow((self.number, self.advertiser, *row, *money, self.currency))
        return out.getvalue()


def _numbers(line: Line) -> dict[str, int]:
    """Without a refund as before there were any: an invoice that was sent stays what it was."""
    told = {name: value for name, value in asdict(line).items() if name not in ("day", "tokens")}
    if not line.refund_micros:
        del told["refund_micros"]
    return told
