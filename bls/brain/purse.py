# SPDX-License-Identifier: Apache-2.0
"""What one advertiser may still spend in one reply.

A funded purse reserves its sum before the first token, so that replies written at the same time
cannot overspend together. No charge of a token is above the weight it was bid with (argmax: Clarke
and critical bid; a draw: K (s + b) / b <= b), so a weight within the purse is safe.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from bls.bidding import Seat
from bls.brain.budget.budgets import Budgets
from bls.brain.budget.flight import BudgetState
from bls.contracts import AD_TOKENS
from bls.errors import SkynetError

_NO_LIMIT = BudgetState(1e12, 1e9, 0.0)


class Purse(Protocol):
    """Weight units, but for `settle`, which is told the receipt's micro-dollars.

    `pay` is told the charge of a token and the pace that it was bid with.
    """

    @property
    def left(self) -> float: ...

    def state(self) -> BudgetState: ...

    def pay(self, charge: float, pace: float) -> None: ...

    def settle(self, micros: int) -> None: ...


class Unlimited:
    """Of an advertiser without a budget."""

    left = math.inf

    def state(self) -> BudgetState:
        return _NO_LIMIT

    def pay(self, charge: float, pace: float) -> None:
        """Nobody counts."""

    def settle(self, micros: int) -> None:
        """Nobody counts."""


@dataclass
class Funded:
    """What the reply `key` holds of an advertiser's flight."""

    budgets: Budgets
    advertiser: str
    key: str
    unit: int
    held: int
    paid: float = field(default=0.0, init=False)

    @property
    def left(self) -> float:
        return max(0.0, self.held / self.unit - self.paid)

    def state(self) -> BudgetState:
        return self.budgets.state(self.advertiser, key=self.key)

    def pay(self, charge: float, pace: float) -> None:
        if charge > 0:
            self.paid += charge
            micros = math.ceil(self.paid * self.unit)
            self.budgets.deliver(self.advertiser, self.key, micros, pace)

    def settle(self, micros: int) -> None:
        self.budgets.commit(self.advertiser, self.key, micros)


@dataclass(frozen=True)
class Purses:
    """Hands out purses.

    Attributes:
        funded: advertisers that have a budget; the others have no limit.
        unit: micro-dollars of weight 1.0.
    """

    budgets: Budgets
    funded: Mapping[str, object]
    unit: int

    def open(self, key: str, seats: Sequence[Seat], w_max: float) -> list[Purse]:
        """A purse a seat, for the reply `key`; one without budget holds nothing.

        A second seat of an advertiser shares the first one's purse.
        """
        made: dict[str, Purse] = {}
        for seat in seats:
            if seat.advertiser not in made:
                made[seat.advertiser] = self._open(key, seat, w_max)
        return [made[seat.advertiser] for seat in seats]

    def _open(self, key: str, seat: Seat, w_max: float) -> Purse:
        if seat.advertiser not in self.funded:
            return Unlimited()
        most = (w_max if seat.rate > 0 else seat.bid) * AD_TOKENS
        try:
            held = self.budgets.reserve(seat.advertiser, key, math.ceil(most * self.unit))
        except SkynetError:  # nobody knows what is left: nothing is
            held = 0
        return Funded(self.budgets, seat.advertiser, key, self.unit, held)
