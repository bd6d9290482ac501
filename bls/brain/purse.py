# SPDX-License-Identifier: Apache-2.0
"""What one advertiser may still spend in one reply.

A funded purse holds the money of the next tokens before they are bid for, so that replies written
at the same time cannot overspend together, and little lies idle. No charge of a token is above the
weight it was bid with (argmax: Clarke and critical bid; a draw: K (s + b) / b <= b), so a weight
that the purse allows is safe.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from bls.bidding import Seat
from bls.brain.budget.budgets import Budgets
from bls.brain.budget.state import BudgetState
from bls.errors import SkynetError

_NO_LIMIT = BudgetState(1e12, 1e9, 0.0)
_AHEAD = 8
"""Tokens whose money is held at once."""


class Purse(Protocol):
    """Weight units, but for `settle`, which is told the receipt's micro-dollars.

    `allow` says how much of a weight may be bid for one token; `pay` is told the charge of a token
    and the pace that it was bid with.
    """

    def allow(self, weight: float) -> float: ...

    def state(self) -> BudgetState: ...

    def pay(self, charge: float, pace: float) -> None: ...

    def settle(self, micros: int) -> None: ...


class Unlimited:
    """Of an advertiser without a budget."""

    def allow(self, weight: float) -> float:
        return weight

    def state(self) -> BudgetState:
        return _NO_LIMIT

    def pay(self, charge: float, pace: float) -> None:
        """Nobody counts."""

    def settle(self, micros: int) -> None:
        """Nobody counts."""


@dataclass
class Funded:
    """What the reply `key` holds of an advertiser's flight.

    Attributes:
        exhausted: told once, when nothing more can be had.
    """

    budgets: Budgets
    advertiser: str
    key: str
    unit: int
    exhausted: Callable[[], None]
    held: int = field(default=0, init=False)
    paid: float = field(default=0.0, init=False)
    _asked: bool = field(default=False, init=False)
    _told: bool = field(default=False, init=False)

    def allow(self, weight: float) -> float:
        if weight > self._left:
            self._asked = True
            wanted = math.ceil((self.paid + _AHEAD * weight) * self.unit)
            with contextlib.suppress(SkynetError):  # nobody knows what is left: nothing more is
                self.held = self.budgets.reserve(self.advertiser, self.key, wanted)
        if weight > 0 and self._left == 0 and not self._told:
            self._told = True
            self.exhausted()
        return min(weight, self._left)

    def state(self) -> BudgetState:
        return self.budgets.state(self.advertiser, key=self.key)

    def pay(self, charge: float, pace: float) -> None:
        if charge > 0:
            self.paid += charge
            micros = math.ceil(self.paid * self.unit)
            self.budgets.deliver(self.advertiser, self.key, micros, pace)

    def settle(self, micros: int) -> None:
        if self._asked:  # else it holds nothing
            self.budgets.commit(self.advertiser, self.key, micros)

    @property
    def _left(self) -> float:
        return max(0.0, self.held / self.unit - self.paid)


@dataclass(frozen=True)
class Purses:
    """Hands out purses.

    Attributes:
        unit: micro-dollars of weight 1.0.
        exhausted: told of every purse that ran out.
    """

    budgets: Budgets
    unit: int
    exhausted: Callable[[], None] = lambda: None

    def open(self, key: str, seats: Sequence[Seat]) -> list[Purse]:
        """A purse a seat, for the reply `key`; nothing is held yet. Who has no budget has no limit;
        who has one is asked of the database now."""
        funded = self.budgets.funded([seat.advertiser for seat in seats]) if seats else ()
        return [self._open(key, seat, funded) for seat in seats]

    def _open(self, key: str, seat: Seat, funded: Collection[str]) -> Purse:
        if seat.advertiser not in funded:
            return Unlimited()
        return Funded(self.budgets, seat.advertiser, key, self.unit, self.exhausted)
