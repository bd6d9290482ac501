# SPDX-License-Identifier: Apache-2.0
"""A planner with a goal: facets, a day, a budget. Often it looks in one session, where interest
raises the price, and buys in another that looks fresh: reconnaissance."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from random import Random
from typing import Literal

from bls.phantom.shop import Catalogue
from pipelines_dagster.phantom.traffic.driver import Enter, Step, Visit
from pipelines_dagster.phantom.traffic.steps import Hands, cheapest
from pipelines_dagster.phantom.traffic.tempo import PLANNER
from pipelines_dagster.phantom.traffic.view import Query, Shown, View
from pipelines_dagster.phantom.traffic.wants import Wants

_SCOUTS = 0.7
"""Share of trips whose first session only looks."""


class GoalPlanner:
    """See the module.

    Args:
        wants: the goal; drawn for each trip if not given.
        scouts: chance that a trip begins with reconnaissance.
    """

    name = "goal_planner"
    actor: Literal["agent", "human"] = "agent"
    touch = False

    def __init__(self, wants: Wants | None = None, scouts: float = _SCOUTS) -> None:
        self._wants, self._scouts = wants, scouts

    def trip(self, shop: Catalogue, rng: Random) -> Iterator[Enter]:
        wants = self._wants or Wants.draw(shop, rng)
        known: dict[str, Shown] = {}
        if rng.random() < self._scouts:
            yield partial(self._scout, wants, self._hands(rng), known)
            if not known or rng.random() < 0.6:
                return  # the answer was what it came for
        yield partial(self._buy, wants, self._hands(rng), cheapest(list(known.values())))

    def _hands(self, rng: Random) -> Hands:
        return Hands(PLANNER, rng, rng.uniform(0.1, 0.9))

    def _plan(self, wants: Wants, hands: Hands, view: View) -> Step:
        """Narrows the list until it holds what is wanted: search, then filters, in any order."""
        query = replace(view.query, page=1) if view.place == "list" else Query()
        by_form = hands.rng.random() < 0.5
        steps: list[tuple[str, dict[str, object]]] = [
            ("filter_price", {"facets": wants.facets})
            if by_form
            else ("search", {"words": wants.words()})
        ]
        if hands.rng.random() < 0.5:
            steps.append(("filter_date", {"date": wants.date}))
        if hands.rng.random() < 0.5:
            steps.append(("filter_price", {"max_price_micros": wants.budget_micros}))
        if hands.rng.random() < 0.4:
            steps.append(("sort", {"order": "price"}))
        hands.rng.shuffle(steps)
        for action, change in steps:
            query = replace(query, **change)  # type: ignore[arg-type]
            view = yield from hands.ask(action, query)
        return view

    def _scout(self, wants: Wants, hands: Hands, known: dict[str, Shown], outside: View) -> Visit:
        view = yield hands.land(outside, wants)
        view = yield from self._plan(wants, hands, view)
        query, most = view.query, hands.rng.randint(3, 8)
        for shown in [one for one in view.items if wants.fits(one)][:most]:
            page = yield from hands.open(view, shown)
            if hands.rng.random() < 0.3:
                page = yield from hands.do("learn_more", shown.item)
            if wants.affords(page.items[0]):
                known[shown.item] = page.items[0]
            view = yield from hands.back(query)

    def _buy(self, wants: Wants, hands: Hands, target: Shown | None, outside: View) -> Visit:
        view = yield hands.land(outside, wants)
        if target is None:
            view = yield from self._plan(wants, hands, view)
        else:
            view = yield from hands.ask("search", Query(words=target.title))
        fits = [one for one in view.items if wants.fits(one) and wants.affords(one)]
        fits.sort(key=lambda one: (target is None or one.item != target.item, one.price_micros))
        for shown in fits[:3]:
            page = yield from hands.open(view, shown)
            if wants.affords(page.items[0]):
                yield from hands.buy(shown)
                return
            view = yield from hands.back(view.query)
