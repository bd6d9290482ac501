# SPDX-License-Identifier: Apache-2.0
"""What a reply cost each advertiser, in integer micro-dollars, and what a reader is told.

Charges are summed in weight units and rounded once per reply and advertiser, never per token
(corrections: token auction 9).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from bls.bidding import Seat
from bls.contracts import RowStatus
from bls.reply.outcome import Outcome

CURRENCY = "USD"
_OK = int(RowStatus.OK)


@dataclass
class Line:
    """Running account of one advertiser's row."""

    advertiser: str
    row: int
    bid: float
    tokens_influenced: int = 0
    tokens_dropped: int = 0
    weight: float = 0.0
    pay: list[float] = field(default_factory=list)
    critical_bid: list[float] = field(default_factory=list)


class Account:
    """Collects outcomes; `lines` and `total_micros` settle them."""

    def __init__(self, seats: Sequence[Seat], rule: str, micros_per_weight: int) -> None:
        self.rule = rule
        self.micros_per_weight = micros_per_weight
        self._lines = [Line(seat.advertiser, i + 1, seat.bid) for i, seat in enumerate(seats)]
        self.tokens = self.sponsored = self.near_ties = 0

    def add(self, outcome: Outcome) -> None:
        """Book one delivered token."""
        winner, weights = outcome.winner, outcome.weights.tolist()
        self.tokens += 1
        self.sponsored += outcome.sponsored
        self.near_ties += outcome.near_tie
        pays, status = outcome.pay.tolist(), outcome.row_status.tolist()
        critical = outcome.charges("critical_bid").tolist()
        for line in self._lines:
            row = line.row
            line.tokens_influenced += winner == row or pays[row] > 0
            line.tokens_dropped += status[row] != _OK
            line.weight += weights[row]
            line.pay.append(pays[row])
            line.critical_bid.append(critical[row])

    def lines(self) -> list[dict[str, object]]:
        """One JSON object per advertiser."""
        return [self._settle(line) for line in self._lines]

    @property
    def charges(self) -> list[int]:
        """Micro-dollars of each advertiser, in row order."""
        return [self._charge(line) for line in self._lines]

    @property
    def total_micros(self) -> int:
        return sum(self.charges)

    def _settle(self, line: Line) -> dict[str, object]:
        return {
            "advertiser": line.advertiser,
            "row": line.row,
            "bid": line.bid,
            "mean_bid": round(line.weight / self.tokens, 6) if self.tokens else line.bid,
            "tokens_influenced": line.tokens_influenced,
            "tokens_dropped": line.tokens_dropped,
            "pay_micros": self._micros(line.pay),
            "critical_bid_micros": self._micros(line.critical_bid),
            "charge_micros": self._charge(line),
        }

    def _charge(self, line: Line) -> int:
        return self._micros(line.critical_bid if self.rule == "critical_bid" else line.pay)

    def _micros(self, weights: Sequence[float]) -> int:
        return round(math.fsum(weights) * self.micros_per_weight)

    def disclosure(self) -> str | None:
        """Plain words for the reader when any token was sponsored or anything was charged."""
        names = [line.advertiser for line in self._lines if line.tokens_influenced]
        if not names and not self.total_micros:
            return None
        listed = ", ".join(name.replace("_", " ").title() for name in names)
        return (
            f"Sponsored: advertising by {listed} influenced {self.sponsored} of the "
            f"{self.tokens} tokens of this reply."
        )
