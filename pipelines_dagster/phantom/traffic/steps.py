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

_LEFT_IN_CART, _LEFT_AT_CHECKOUT = 0.15, 0.25
_HOVERS = {
    False: (("hover_title", "hover_paragraph"), (3, 2)),
    True: (("hover_title", "hover_paragraph", "hover_link"), (3, 3, 2)),
}


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

    def aim(self) -> int:
        return self._tempo.aim(self.rng)

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
        return (yield Act("view_item", shown.item, think, aim_ms=self.aim()))

    def maybe_hover(self, view: View, shown: Shown, chance: float | None = None) -> Step:
        if self.rng.random() < (self._hovers if chance is None else chance):
            return (yield self.hover(view, shown))
        return view

    def hover(self, view: View, shown: Shown) -> Act:
        """Titles most often; on its own page its links too."""
        names, weights = _HOVERS[view.place == "item"]
        (action,) = self.rng.choices(names, weights)
        pause = int(0.4 * self._tempo.think(self.rng))
        return Act(action, shown.item, pause, self._tempo.hover(self.rng))

    def back(self, query: Query = ALL) -> Step:
        """To a list."""
        return (yield Act("page_view", "", self.think(), aim_ms=self.aim(), query=query))

    def ask(self, action: str, query: Query) -> Step:
        """A search, a filter, an order."""
        return (yield Act(action, "", self.think(), aim_ms=self.aim(), query=query))

    def do(self, action: str, item: str = "") -> Step:
        """Whatever else."""
        return (yield Act(action, item, self.think(), aim_ms=self.aim()))

    def paced(self, act: Act) -> Act:
        """An act made up elsewhere, at this visitor's pace."""
        return replace(act, think_ms=self.think(), aim_ms=self.aim())

    def to_list(self, view: View, query: Query = ALL) -> Step:
        """A list, if this page is none."""
        if view.place == "list":
            return view
        return (yield from self.back(query))

    def buy(self, shown: Shown) -> Step:
        """From an item's page to the end; some agents leave paying to whom they shop for."""
        view = yield from self.do("add_item", shown.item)
        if self.rng.random() < _LEFT_IN_CART:
            return view
        view = yield from self.do("checkout")
        if self.rng.random() < _LEFT_AT_CHECKOUT:
            return view
        return (yield from self.do("purchase"))


def cheapest(items: Sequence[Shown]) -> Shown | None:
    """Of several, the first of the cheapest."""
    return min(items, key=lambda one: one.price_micros, default=None)
