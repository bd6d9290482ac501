# SPDX-License-Identifier: Apache-2.0
"""What of a catalogue fits a query, remembered: many visits ask the same."""

from __future__ import annotations

from bls.phantom.shop import Catalogue, Item
from pipelines_dagster.phantom.traffic.view import Query, Shown

_REMEMBERED = 4_096


class Shelf:
    """One catalogue, shared by the visits to it."""

    def __init__(self, shop: Catalogue) -> None:
        self.shop = shop
        self._texts = [
            (" ".join((item.title, item.text, *item.facets.values())).lower(), item)
            for item in shop.items.values()
        ]
        self._cards: dict[tuple[str, int], Shown] = {}
        self._found: dict[tuple[object, ...], tuple[Item, ...]] = {}

    def card(self, item: Item, price_micros: int) -> Shown:
        """An item at a price."""
        key = (item.item, price_micros)
        card = self._cards.get(key)
        if card is None:
            card = Shown(item.item, item.title, price_micros, item.facets, item.dates)
            if len(self._cards) < _REMEMBERED:
                self._cards[key] = card
        return card

    def find(self, query: Query) -> list[Item]:
        """By words, facets and day, in the catalogue's order; prices are the visit's own."""
        key = (query.words, query.facets, query.date)
        found = self._found.get(key)
        if found is None:
            words = query.words.lower().split()
            found = tuple(item for text, item in self._texts if _fits(item, text, words, query))
            if len(self._found) < _REMEMBERED:
                self._found[key] = found
        return list(found)


def _fits(item: Item, text: str, words: list[str], query: Query) -> bool:
    if any(item.facets.get(name) != value for name, value in query.facets):
        return False
    if query.date and not item.dates[0] <= query.date <= item.dates[1]:
        return False
    return all(word in text for word in words)
