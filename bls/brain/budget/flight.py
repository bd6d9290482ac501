# SPDX-License-Identifier: Apache-2.0
"""What an advertiser may spend and when, and what the controller is told of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, NamedTuple

from pydantic import Field, model_validator

from bls.request import Strict

MICROS_MAX = 2**53 - 1
"""Largest amount: exact as a float64 too."""


class Flight(Strict):
    """One campaign's money: `budget_micros` between `start` and `end`, Unix seconds.

    Spending is counted per flight: another `start` is another flight.
    """

    budget_micros: Annotated[int, Field(ge=0, le=MICROS_MAX)]
    start: Annotated[int, Field(ge=0)]
    end: Annotated[int, Field(ge=0)]

    @model_validator(mode="after")
    def _ordered(self) -> Flight:
        if self.end <= self.start:
            raise ValueError("a flight ends after it starts")
        return self

    def live(self, now: float) -> bool:
        """Whether money may be spent at `now`."""
        return self.start <= now < self.end


Flights = Callable[[str, float], Flight | None]
"""The flight of an advertiser at a time, Unix seconds; None when it has none."""

_DAY = 86_400


def fixed(flights: Mapping[str, Flight]) -> Flights:
    """One flight each."""
    known = dict(flights)
    return lambda advertiser, now: known.get(advertiser)


def daily(budgets: Mapping[str, int]) -> Flights:
    """A flight every UTC day: micro-units a day by advertiser."""
    known = dict(budgets)

    def flight(advertiser: str, now: float) -> Flight | None:
        if advertiser not in known:
            return None
        start = int(now) // _DAY * _DAY
        return Flight(budget_micros=known[advertiser], start=start, end=start + _DAY)

    return flight


class BudgetState(NamedTuple):
    """What the controller paces by; all 0 when nothing is known.

    Attributes:
        budget_left: weight x tokens, neither spent nor reserved by other replies.
        time_left: seconds until the flight ends.
        spend_rate: recent, weight x tokens a second, as if all of it had been bid at pace 1.
    """

    budget_left: float
    time_left: float
    spend_rate: float


NOTHING = BudgetState(0.0, 0.0, 0.0)
