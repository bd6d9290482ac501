# SPDX-License-Identifier: Apache-2.0
"""A comparer that opens everything that could do, then goes back to the best of what it saw."""

from __future__ import annotations

from dataclasses import replace

from pipelines_dagster.phantom.traffic.agents.script import Script
from pipelines_dagster.phantom.traffic.driver import Visit
from pipelines_dagster.phantom.traffic.steps import Hands
from pipelines_dagster.phantom.traffic.view import Query, Shown, View
from pipelines_dagster.phantom.traffic.wants import Wants

_BUYS = 0.2


class Exhaustive(Script):
    """See the module."""

    name, hovers = "exhaustive", (0.1, 0.8)

    def _visit(self, wants: Wants, hands: Hands, outside: View) -> Visit:
        rng = hands.rng
        view = yield hands.land(outside, wants)
        query = Query(words=wants.words() if rng.random() < 0.4 else "")
        if query.words:
            view = yield from hands.ask("search", query)
        elif view.place != "list" or view.query != query:
            view = yield from hands.back(query)
        if rng.random() < 0.3:
            query = replace(query, order="name")
            view = yield from hands.ask("sort", query)
        seen: dict[str, Shown] = {}
        bound = rng.randint(8, 40)
        while True:
            for shown in view.items:
                if shown.item in seen or len(seen) >= bound:
                    continue
                page = yield from hands.open(view, shown)
                (seen[shown.item],) = page.items
                if rng.random() < 0.25:
                    yield from hands.do("learn_more", shown.item)
                view = yield from hands.back(query)
            if not view.more or len(seen) >= bound:
                break
            query = replace(query, page=query.page + 1)
            view = yield from hands.back(query)
        yield from self._choose(seen, wants, hands)

    def _choose(self, seen: dict[str, Shown], wants: Wants, hands: Hands) -> Visit:
        """Back to the cheapest that fits, by search; bought on some trips."""
        fits = [one for one in seen.values() if wants.fits(one)]
        best = min(fits, key=lambda one: one.price_micros, default=None)
        if best is None or hands.rng.random() < 0.3:
            return
        view = yield from hands.ask("search", Query(words=best.title))
        if not any(one.item == best.item for one in view.items):
            return
        view = yield from hands.open(view, best)
        if hands.rng.random() < _BUYS / 0.7 and wants.affords(view.items[0]):
            yield from hands.buy(best)
