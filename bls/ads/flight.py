# SPDX-License-Identifier: Apache-2.0
"""What an advertiser may spend, and when."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field, model_validator

from bls.request import Strict

MICROS_MAX = 2**53 - 1
"""Largest amount: exact as a float64 too."""

DAY = 86_400


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


def day_of(now: float, budget_micros: int) -> Flight:
    """The UTC day that `now` is in, as a flight."""
    start = int(now) // DAY * DAY
    return Flight(budget_micros=budget_micros, start=start, end=start + DAY)


@dataclass(frozen=True)
class Account:
    """A flight as it stands. `spent + reserved <= budget`, micro-dollars."""

    start: int
    end: int
    budget: int
    spent: int = 0
    reserved: int = 0

    def live(self, now: float) -> bool:
        """Whether money may be spent at `now`."""
        return self.start <= now < self.end

    @property
    def free(self) -> int:
        """Neither spent nor held."""
        return self.budget - self.spent - self.reserved
