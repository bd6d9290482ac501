# SPDX-License-Identifier: Apache-2.0
"""What is about to be bought, as it was shown, and what was bought. Integer micro-units.

A browser posts the id of an offer and never a price: what it pays is what the offer says, and an
offer stands only while its prices are the last ones that the session was quoted.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Line:
    """`count` of one item at one price each."""

    item: str
    count: int
    price_micros: int

    @property
    def total_micros(self) -> int:
        return self.count * self.price_micros


@dataclass(frozen=True, slots=True)
class Offer:
    """The lines that one rendering of `/checkout` showed."""

    offer_id: str
    lines: tuple[Line, ...]

    @property
    def total_micros(self) -> int:
        return sum(line.total_micros for line in self.lines)


@dataclass(frozen=True, slots=True)
class Order:
    """An offer that was taken; it has the offer's id, so taking it twice is one order."""

    order_id: str
    currency: str
    lines: tuple[Line, ...]

    @property
    def total_micros(self) -> int:
        return sum(line.total_micros for line in self.lines)
