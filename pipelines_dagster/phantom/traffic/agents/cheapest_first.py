# SPDX-License-Identifier: Apache-2.0
"""A crawler that orders by price and takes the first that will do: few pages, steady steps."""

from __future__ import annotations

from dataclasses import replace

from pipelines_dagster.phantom.traffic.agents.script import Script
from pipelines_dagster.phantom.traffic.driver import Step, Visit
from pipelines_dagster.phantom.traffic.steps import Hands
from pipelines_dagster.phantom.traffic.view import Query, View
from pipelines_dagster.phantom.traffic.wants import Wants

_BUYS = 0.3
"""Share of trips that are to buy; the others are to learn a price."""


class CheapestFirst(Script):
    """See the module."""

    name, hovers = "cheapest_first", (0.0, 0.6)

    def _visit(self, wants: Wants, hands: Hands, outside: View) -> Visit:
        view = yield hands.land(outside, wants)
        query = Query(words=wants.words() if hands.rng.random() < 0.5 else "")
        if query.words and view.query.words != query.words:
            view = yield from hands.ask("search", query)
        query = replace(query, order="price")
        view = yield from hands.ask("sort", query)
        buys, looks = hands.rng.random() < _BUYS, hands.rng.randint(2, 9)
        for _ in range(looks):
            view = yield from self._page(view, wants, hands, buys)
            if view.place != "list" or not view.more:
                return
            query = replace(query, page=query.page + 1)
            view = yield from hands.back(query)

    def _page(self, view: View, wants: Wants, hands: Hands, buys: bool) -> Step:
        """The page's cards from the cheapest on; the list again at the end."""
        query = view.query
        for shown in view.items[: hands.rng.randint(2, 5)]:
            if not wants.fits(shown) and hands.rng.random() < 0.7:
                continue
            view = yield from hands.open(view, shown)
            (here,) = view.items
            if buys and wants.fits(here) and wants.affords(here):
                return (yield from hands.buy(here))
            view = yield from hands.back(query)
            if not any(one.item == shown.item for one in view.items):
                break
        return view
