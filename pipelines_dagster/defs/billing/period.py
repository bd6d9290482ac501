# SPDX-License-Identifier: Apache-2.0
"""What an invoice is for: a UTC day or a month, over."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from bls.errors import invalid


@dataclass(frozen=True)
class Period:
    """Days `first` to `last`, both included."""

    first: date
    last: date

    @classmethod
    def of_day(cls, text: str) -> Period:
        """`yyyy-mm-dd`. Raises `bad_period`."""
        try:
            day = date.fromisoformat(text)
        except ValueError:
            raise invalid("bad_period", "A day is yyyy-mm-dd.") from None
        return cls(day, day)

    @classmethod
    def of_month(cls, text: str) -> Period:
        """`yyyy-mm`. Raises `bad_period`."""
        try:
            first = datetime.strptime(text, "%Y-%m").date()
        except ValueError:
            raise invalid("bad_period", "A month is yyyy-mm.") from None
        following = (first.replace(day=28) + timedelta(days=4)).replace(day=1)
        return cls(first, following - timedelta(days=1))

    @property
    def days(self) -> list[str]:
        count = (self.last - self.first).days + 1
        return [(self.first + timedelta(days=n)).isoformat() for n in range(count)]

    @property
    def name(self) -> str:
        """`20261122`, or `202611` for a month."""
        return f"{self.first:%Y%m%d}" if self.first == self.last else f"{self.first:%Y%m}"

    def over(self, now: datetime | None = None) -> bool:
        """Whether nothing of it can still come."""
        return (now or datetime.now(UTC)).date() > self.last

    def overlaps(self, first: str, last: str) -> bool:
        return self.first.isoformat() <= last and first <= self.last.isoformat()


def recent(count: int) -> list[Period]:
    """The last days that are over, the oldest first."""
    last = yesterday().last
    days = [last - timedelta(days=n) for n in reversed(range(count))]
    return [Period(day, day) for day in days]


def yesterday() -> Period:
    day = datetime.now(UTC).date() - timedelta(days=1)
    return Period(day, day)
