# SPDX-License-Identifier: Apache-2.0
"""One person-like visit: a list is scanned from the top, cards with scent are opened, lists that
no longer pay are left, few things are put into a cart and most carts are abandoned."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from random import Random
from typing import Literal

from bls.phantom.shop import Catalogue
from pipelines_dagster.phantom.traffic.driver import Enter, Step, Visit
from pipelines_dagster.phantom.traffic.people.depth import pages
from pipelines_dagster.phantom.traffic.people.persona import Persona
from pipelines_dagster.phantom.traffic.steps import Hands
from pipelines_dagster.phantom.traffic.view import Query, Shown, View
from pipelines_dagster.phantom.traffic.wants import Wants

_MOST_SESSIONS = 4
_RETURNS_TO = 0.5
"""Share of return visits on which a link from outside, if one is followed, leads to the thing
remembered: about half of all page loads are revisits (58 %, Tauscher and Greenberg 1997; 46 %,
Obendorf et al., CHI 2007). How often a link is followed is the same for every driver."""


def _about(budget_micros: int) -> int:
    """A limit with some room, to the ten."""
    return 10_000_000 * math.ceil(1.1 * budget_micros / 10_000_000)


class Person:
    """A driver of one persona."""

    actor: Literal["agent", "human"] = "human"

    def __init__(self, persona: Persona) -> None:
        self.name, self._persona = persona.name, persona
        self.touch = not persona.hovers

    def trip(self, shop: Catalogue, rng: Random) -> Iterator[Enter]:
        wants, liked = Wants.draw(shop, rng), dict[str, Shown]()
        for _ in range(_MOST_SESSIONS):
            yield _Visit(self._persona, wants, liked, rng).run
            if rng.random() >= self._persona.returns:
                return


class _Visit:
    """One session; what it liked is remembered for the next."""

    def __init__(
        self, persona: Persona, wants: Wants, liked: dict[str, Shown], rng: Random
    ) -> None:
        self._persona, self._wants, self._liked, self._rng = persona, wants, liked, rng
        self._hands = Hands(persona.tempo, rng, 0.3 * persona.hovers)
        self._left = pages(rng, persona.depth, persona.depth_shape)
        self._mean_scent, self._disappointed = 0.3, False

    def run(self, outside: View) -> Visit:
        """Until patience or interest ends."""
        view = yield from self._land(outside)
        query = view.query
        while self._left > 0 and view.place != "done":
            if view.place == "list":
                query = view.query
                view = yield from self._scan(view)
                if view.place == "list" and not (view := (yield from self._move_on(view))).items:
                    return
            elif view.place == "item":
                view = yield from self._consider(view)
                self._left -= 1
                if self._left > 0 and view.place != "done":
                    view = yield from self._hands.back(query)
            else:
                return
            self._left -= 1

    def _land(self, outside: View) -> Step:
        rng = self._rng
        if self._liked and rng.random() < _RETURNS_TO:
            outside = replace(outside, items=(rng.choice(list(self._liked.values())),))
        view = yield self._hands.land(outside, self._wants)
        if view.place == "list" and not view.query.words and rng.random() < self._persona.searches:
            view = yield from self._hands.ask("search", Query(words=self._wants.words()))
        return view

    def _scan(self, view: View) -> Step:
        """Down the list; ends on the page of the card that was opened, if one was."""
        rng, persona, best = self._rng, self._persona, 0.0
        for rank, shown in enumerate(view.items, 1):
            if rng.random() > rank**-persona.position:
                continue
            scent = self._scent(shown)
            best = max(best, scent)
            view = yield from self._hands.maybe_hover(view, shown, persona.hovers * (0.3 + scent))
            if rng.random() < persona.clicks * scent:
                return (yield from self._hands.open(view, shown))
        self._disappointed = best < self._persona.leaves * self._mean_scent
        self._mean_scent = 0.7 * self._mean_scent + 0.3 * best
        return view

    def _move_on(self, view: View) -> Step:
        """From a list on which nothing was opened: another, more of it, or out (no items)."""
        rng, query = self._rng, view.query
        if rng.random() < self._persona.refines:
            return (yield from self._refine(query))
        if view.more and not self._disappointed:
            return (yield from self._hands.back(replace(query, page=query.page + 1)))
        if rng.random() < 0.35:
            return (yield from self._hands.back())
        return View("outside")

    def _refine(self, query: Query) -> Step:
        wants = self._wants
        action, change = self._rng.choice(
            (
                ("sort", {"order": self._rng.choice(("price", "price", "name"))}),
                ("filter_price", {"max_price_micros": _about(wants.budget_micros)}),
                ("filter_date", {"date": wants.date}),
                ("filter_price", {"facets": wants.facets[:1]}),
                ("search", {"words": wants.words()}),
            )
        )
        return (yield from self._hands.ask(action, replace(query, page=1, **change)))

    def _consider(self, view: View) -> Step:
        """An item's page: read, perhaps more of it, perhaps bought."""
        rng, persona, (shown,) = self._rng, self._persona, view.items
        scent = self._scent(shown)
        for _ in range(2):
            view = yield from self._hands.maybe_hover(view, shown, 0.6 * persona.hovers)
        if rng.random() < 0.12 + 0.2 * scent:
            view = yield from self._hands.do("learn_more", shown.item)
        if scent > 0.5:
            self._liked[shown.item] = shown
        if shown.item not in view.cart and rng.random() < persona.adds * scent:
            view = yield from self._hands.do("add_item", shown.item)
            view = yield from self._decide(view, shown)
        return view

    def _decide(self, view: View, shown: Shown) -> Step:
        """Before the cart: on to the checkout, on looking, or out."""
        rng, persona = self._rng, self._persona
        if rng.random() < 0.3:
            return view  # keeps looking
        if rng.random() < 0.1:
            return (yield from self._hands.do("remove", shown.item))
        self._left = 0
        if rng.random() < persona.checks_out:
            view = yield from self._hands.do("checkout")
            if rng.random() < persona.pays:
                view = yield from self._hands.do("purchase")
        return view

    def _scent(self, shown: Shown) -> float:
        """How promising it looks, 0 to 1: what it has of what is wanted, and its price."""
        lure = 3.0 * (self._wants.match(shown) - 0.5) + 2.0 * self._wants.bargain(shown)
        return 1.0 / (1.0 + math.exp(-lure))
