# SPDX-License-Identifier: Apache-2.0
"""What somebody came for: some facets, a budget, a day. Agents and people want alike."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random

from bls.phantom.session import Mode
from bls.phantom.shop import Catalogue
from pipelines_dagster.phantom.traffic.view import Shown

_UNIT = 1_000_000
_ASKED: dict[Mode, tuple[tuple[str, float], ...]] = {
    "hotel": (("city", 0.75), ("kind", 0.3), ("stars", 0.3), ("breakfast", 0.2), ("distance", 0.2)),
    "airline": (("to", 0.75), ("from", 0.6), ("cabin", 0.2), ("stops", 0.3), ("bags", 0.2)),
}
"""What one asks of a room and of a flight, and how often; the shop's forms have filters for it."""


@dataclass(frozen=True, slots=True)
class Wants:
    """An errand.

    Attributes:
        facets: that the thing should have.
        budget_micros: the most it may cost, a whole amount.
        date: ISO day on which it is needed.
    """

    facets: tuple[tuple[str, str], ...]
    budget_micros: int
    date: str

    @classmethod
    def draw(cls, shop: Catalogue, rng: Random) -> Wants:
        """Like one item of the shop, by some of its facets, at about its price."""
        model = rng.choice(tuple(shop.items.values()))
        asked = [one for one in _ASKED[shop.mode] if one[0] in model.facets]
        kept = [(name, model.facets[name]) for name, share in asked if rng.random() < share]
        if not kept:
            kept = [(name, model.facets[name]) for name, _ in asked[:1]]
        budget = _UNIT * math.ceil(model.base_micros * rng.lognormvariate(0.05, 0.25) / _UNIT)
        first, last = (date.fromisoformat(day) for day in model.dates)
        day = first + timedelta(days=rng.randrange((last - first).days + 1))
        return cls(tuple(sorted(kept)), budget, day.isoformat())

    def fits(self, shown: Shown) -> bool:
        """Whether it has all that is wanted, price aside."""
        return all(shown.facets.get(name) == value for name, value in self.facets)

    def affords(self, shown: Shown) -> bool:
        return shown.price_micros <= self.budget_micros

    def match(self, shown: Shown) -> float:
        """Share of the wanted facets it has."""
        if not self.facets:
            return 1.0
        return sum(shown.facets.get(name) == value for name, value in self.facets) / len(
            self.facets
        )

    def bargain(self, shown: Shown) -> float:
        """ln(budget / price): above 0 what is affordable."""
        return math.log(self.budget_micros / max(1, shown.price_micros))

    def words(self) -> str:
        """As typed into a search box."""
        return " ".join(value for _, value in self.facets)
