# SPDX-License-Identifier: Apache-2.0
"""Parts of visits that many drivers share, at the tempo of the visitor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from random import Random

from pipelines_dagster.phantom.traffic.driver import Step
from pipelines_dagster.phantom.traffic.tempo import Tempo
from pipelines_dagster.phantom.traffic.view import ALL, Act, Query, Shown, View
from pipelines_dagster.phantom.traffic.wants import Wants

HOVERS = ("hover_title", "hover_paragraph", "hover_link")


class Hands:
    """One visitor's clicking and pointing.

    Args:
        hovers: chance that the pointer rests on something of an item before a click on it; a
            thumb has none.
    """

    def __init__(self, tempo: Tempo, rng: Random, hovers: float) -> None:
        self.rng = rng
        self._tempo, self._hovers = tempo.of_session(rng), hovers
        self._fresh_item = False

    def think(self) -> int:
        """Before the next act: reading if an item's page has just opened."""
        fresh, self._fresh_item = self._fresh_item, False
        return self._tempo.read(self.rng) if fresh else self._tempo.think(self.rng)

    def land(self, view: View, wants: Wants) -> Act:
        """How the shop is entered: its front page, mostly; a link to an item; a link to a search.

        Three ways for agents and people alike, so that a first act tells nothing.
        """
        draw = self.rng.random()
        if draw < 0.15 and view.items:
            self._fresh_item = True
            return Act("view_item", self.rng.choice(view.items).item)
        if draw < 0.25:
            return Act("search", query=Query(words=wants.words()))
        return Act("page_view")

    def open(self, view: View, shown: Shown) -> Step:
        """Its page, the pointer often resting on the card first."""
        yield from self.maybe_hover(view, shown)
        think = self.think()
        self._fresh_item = True
        return (yield Act("view_item", shown.item, think))

    def maybe_hover(self, view: View, shown: Shown, chance: float | None = None) -> Step:
        if self.rng.random() < (self._hovers if chance is None else chance):
            return (yield self.hover(shown))
        return view

    def hover(self, shown: Shown) -> Act:
        """Titles most often, links least."""
        (action,) = self.rng.choices(HOVERS, (5, 3, 2))
        pause = int(0.4 * self._tempo.think(self.rng))
        return Act(action, shown.item, pause, self._tempo.hover(self.rng))

    def back(self, query: Query = ALL) -> Step:
        """To a list."""
        return (yield Act("page_view", "", self.think(), query=query))

    def ask(self, action: str, query: Query) -> Step:
        """A search, a filter, an order."""
        return (yield Act(action, "", self.think(), query=query))

    def do(self, action: str, item: str = "") -> Step:
        """Whatever else."""
        return (yield Act(action, item, self.think()))

    def paced(self, act: Act) -> Act:
        """An act made up elsewhere, at this visitor's pace."""
        return replace(act, think_ms=self.think())

    def cart(self) -> Step:
        return (yield Act("page_view", "", self.think(), place="cart"))

    def to_list(self, view: View, query: Query = ALL) -> Step:
        """A list, if this page is none."""
        if view.place == "list":
            return view
        return (yield from self.back(query))

    def buy(self, view: View, shown: Shown) -> Step:
        """From an item's page to the end."""
        yield from self.do("add_item", shown.item)
        if self.rng.random() < 0.6:
            yield from self.cart()
        yield from self.do("checkout")
        return (yield from self.do("purchase"))


def cheapest(items: Sequence[Shown]) -> Shown | None:
    """Of several, the first of the cheapest."""
    return min(items, key=lambda one: one.price_micros, default=None)
