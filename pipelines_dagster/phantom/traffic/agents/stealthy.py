# SPDX-License-Identifier: Apache-2.0
"""An agent that hides: a person-like visitor's timing, hovers, detours and patience, around a goal.

It differs from the person-like drivers in what it is after: it makes sure to see the prices of what
fits, and of those it buys the cheapest, in a session of its own. Nothing but that is to be seen.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import replace
from functools import partial
from random import Random
from typing import Literal

from bls.phantom.shop import Catalogue
from pipelines_dagster.phantom.traffic.driver import Enter, Step, Visit
from pipelines_dagster.phantom.traffic.people.depth import pages
from pipelines_dagster.phantom.traffic.people.persona import (
    BROWSER,
    COMPARER,
    MOBILE,
    RETURNING,
    Persona,
)
from pipelines_dagster.phantom.traffic.steps import Hands
from pipelines_dagster.phantom.traffic.view import Act, Query, Shown, View
from pipelines_dagster.phantom.traffic.wants import Wants

_SESSIONS = (1, 1, 2, 3)
_DETOUR = 0.35
_BUYS = 0.12
"""Share of sessions that try to buy: as few as people's, or the purchase would tell."""


class Stealthy:
    """See the module."""

    name = "stealthy"
    actor: Literal["agent", "human"] = "agent"
    touch = False

    def trip(self, shop: Catalogue, rng: Random) -> Iterator[Enter]:
        wants, known = Wants.draw(shop, rng), dict[str, Shown]()
        for _ in range(rng.choice(_SESSIONS)):
            mask = rng.choice((BROWSER, COMPARER, RETURNING, MOBILE))
            yield partial(self._look, mask, wants, known, rng)
        if known and rng.random() < _BUYS:
            mask = rng.choice((BROWSER, RETURNING, MOBILE))
            yield partial(self._buy, mask, wants, known, rng)

    def _look(
        self, mask: Persona, wants: Wants, known: dict[str, Shown], rng: Random, outside: View
    ) -> Visit:
        hands = Hands(mask.tempo, rng, mask.hovers)
        view = yield hands.land(outside, wants)
        left = pages(rng, mask.depth, mask.depth_shape)
        view = yield from hands.to_list(view)
        if not view.query.words and rng.random() < max(0.3, mask.searches):
            view = yield from hands.ask("search", Query(words=wants.words()))
        while left > 0:
            query = view.query
            shown = yield from self._next(view, mask, wants, known, hands)
            if shown is not None:
                page = yield from hands.open(view, shown)
                if wants.fits(shown):
                    known[shown.item] = page.items[0]
                yield from self._read(page, mask, hands, 0.6 * mask.adds)
                left -= 2
                if left > 0:
                    view = yield from hands.back(query)
            elif view.more:
                view = yield from hands.back(replace(query, page=query.page + 1))
                left -= 1
            elif rng.random() < mask.refines:
                order: Query = replace(query, page=1, order="price")
                view = yield from hands.ask("sort", order)
                left -= 2
            else:
                return

    def _next(
        self, view: View, mask: Persona, wants: Wants, known: dict[str, Shown], hands: Hands
    ) -> Generator[Act, View, Shown | None]:
        """Down the list as a person would scan it; opens what fits and is not known, and decoys."""
        for rank, shown in enumerate(view.items, 1):
            if hands.rng.random() > rank ** -(0.6 * mask.position):
                continue
            wanted = wants.fits(shown) and shown.item not in known
            yield from hands.maybe_hover(view, shown, mask.hovers * (0.8 if wanted else 0.4))
            if hands.rng.random() < (0.6 if wanted else _DETOUR * mask.clicks):
                return shown
        return None

    def _read(self, page: View, mask: Persona, hands: Hands, adds: float) -> Step:
        (shown,) = page.items
        for _ in range(2):
            page = yield from hands.maybe_hover(page, shown, 0.6 * mask.hovers)
        if hands.rng.random() < 0.2:
            page = yield from hands.do("learn_more", shown.item)
        if hands.rng.random() < adds:
            page = yield from hands.do("add_item", shown.item)  # a cart to abandon
        return page

    def _buy(
        self, mask: Persona, wants: Wants, known: dict[str, Shown], rng: Random, outside: View
    ) -> Visit:
        hands = Hands(mask.tempo, rng, mask.hovers)
        view = yield hands.land(outside, wants)
        view = yield from hands.to_list(view)
        target = min(known.values(), key=lambda one: one.price_micros)
        view = yield from hands.ask("search", Query(words=target.title))
        for shown in view.items:
            if shown.item in known:
                page = yield from hands.open(view, shown)
                page = yield from self._read(page, mask, hands, 0.0)
                if wants.affords(page.items[0]):
                    yield from hands.buy(shown)
                return
