# SPDX-License-Identifier: Apache-2.0
"""What an advertiser may spend and when, and what the controller is told of it."""

from __future__ import annotations

from typing import Annotated, NamedTuple

from pydantic import Field, model_validator

from bls.request import Strict

MICROS_MAX = 2**53 - 1
"""Largest amount: exact as a float64 too."""

_DAY_S = 86_400


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

    def at(self, now: float) -> Flight | None:
        """The flight under way at `now`: this one, or none."""
        return self if self.live(now) else None


class Daily(Strict):
    """A budget that every UTC day begins anew."""

    budget_micros: Annotated[int, Field(ge=0, le=MICROS_MAX)]

    def at(self, now: float) -> Flight | None:
        """The day of `now`, as a flight."""
        start = int(now) // _DAY_S * _DAY_S
        return Flight(budget_micros=self.budget_micros, start=start, end=start + _DAY_S)


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
