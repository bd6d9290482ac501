# SPDX-License-Identifier: Apache-2.0
"""The shop in memory: one visit to a catalogue, page by page, on a simulated clock.

What it writes down, and when, is what the real shop (`client.storefront`) writes down: a hover from
a quarter of a second on and when it ends; a link that is clicked was hovered over, and is until the
next page comes; after an act on the cart its page, after a purchase the page of thanks.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from bls.errors import SkynetError
from bls.phantom.session import Quote, SessionEvent
from bls.phantom.shop import Item
from pipelines_dagster.phantom.traffic.prices import Interest, Price, bounded
from pipelines_dagster.phantom.traffic.shelf import Shelf
from pipelines_dagster.phantom.traffic.view import ALL, ASKING, Act, Place, Query, Shown, View

PAGE = 12
"""Cards on a list page."""
LEAST_HOVER_MS = 250
"""Shorter hovers are not told by the shop's pages."""

_HOVERS = frozenset({"hover_title", "hover_paragraph", "hover_link"})
_LINKS = {"view_item": "hover_title", "learn_more": "hover_link"}
"""What a click on an item's link is a hover over."""


class Stall:
    """Answers one visitor's acts with pages.

    Args:
        adverts: items that links elsewhere lead to.
        clock: Unix milliseconds of the first act.
        rng: of how long pages take.
    """

    def __init__(
        self, shelf: Shelf, price: Price, adverts: Sequence[str], clock: int, rng: Random
    ) -> None:
        self._shelf, self._items, self._price = shelf, shelf.shop.items, price
        self._rng, self._clock = rng, clock
        self._interest = Interest()
        self._cart: list[str] = []
        self._told: dict[str, int] = {}
        self._asked = ALL
        self._more_open = False
        self.events: list[SessionEvent] = []
        self.quotes: list[Quote] = []
        self.view = View("outside", tuple(self._shown(self._items[name]) for name in adverts))

    def perform(self, act: Act) -> View:
        """The page after an act. Raises `impossible_act` for what this page does not offer."""
        if act.item and not self._reaches(act.item):
            raise impossible()
        if self.events:
            self._clock += act.think_ms
        if act.action in _HOVERS:
            self._hover(act)
        else:
            self._click(act)
        return self.view

    def _reaches(self, item: str) -> bool:
        """On the page; from outside whatever has an address, a remembered one too."""
        if self.view.place == "outside":
            return item in self._items
        return any(one.item == item for one in self.view.items)

    def _hover(self, act: Act) -> None:
        if self.view.place not in ("list", "item", "cart") or not act.item:
            raise impossible()
        self._clock += act.dwell_ms
        away = act.action == "hover_link" and self._more_open  # the way back is the only link left
        self._dwelt(act.action, "" if away else act.item, act.dwell_ms)

    def _click(self, act: Act) -> None:
        before = self.view.place
        self._clock += act.aim_ms
        for action in recorded(act, self._asked):
            self._record(action, act.item)
        wait = int(self._rng.lognormvariate(5.2, 0.5))
        self._clock += wait
        self._open(act)
        if act.action in _LINKS and before != "outside":
            self._dwelt(_LINKS[act.action], act.item, act.aim_ms + wait)
        self._clock += int(self._rng.lognormvariate(4.8, 0.5))

    def _open(self, act: Act) -> None:
        action, item, place = act.action, act.item, self.view.place
        if action == "view_item" and item:
            self._show("item", [self._items[item]])
        elif action == "learn_more" and place == "item" and item and not self._more_open:
            self._show("item", [self._items[item]])
            self._more_open = True
        elif action in ASKING or (action == "page_view" and act.place == "list"):
            self._list(act.query)
        elif action == "page_view" and act.place == "cart":
            self._cart_page("cart")
        else:
            self._deal(action, item, place)

    def _deal(self, action: str, item: str, place: Place) -> None:
        if action == "add_item" and item and place in ("item", "list"):
            if item not in self._cart:
                self._cart.append(item)
            self._record("page_view", "")
            self._cart_page("cart")
        elif action == "remove" and item and place == "cart":
            self._cart.remove(item)
            self._record("page_view", "")
            self._cart_page("cart")
        elif action == "checkout" and place == "cart" and self._cart:
            self._cart_page("checkout")
        elif action == "purchase" and place == "checkout":
            self.events.pop()  # told for each line
            for name in self._cart:
                self._record("purchase", name)
            self._record("page_view", "")
            self._cart.clear()
            self._show("done", [])
        else:
            raise impossible()

    def _record(self, action: str, item: str, dwell_ms: int = 0) -> None:
        self.events.append(SessionEvent(action, item, self._clock, dwell_ms))
        self._interest.push(action, item)

    def _dwelt(self, action: str, item: str, dwell_ms: int) -> None:
        if dwell_ms >= LEAST_HOVER_MS:
            self._record(action, item, dwell_ms)

    def _list(self, query: Query) -> None:
        found = self._shelf.find(query)
        if query.max_price_micros is not None:
            found = [item for item in found if self._last(item) <= query.max_price_micros]
        if query.order == "price":
            found.sort(key=self._last)
        elif query.order == "name":
            found.sort(key=lambda item: item.title)
        begin = PAGE * (query.page - 1)
        self._asked = query
        self._show("list", found[begin : begin + PAGE], query, len(found) > begin + PAGE)

    def _show(
        self, place: Place, items: Sequence[Item], query: Query = ALL, more: bool = False
    ) -> None:
        """A page on which prices are asked for anew."""
        shown = tuple(self._shown(item) for item in items)
        self.quotes += [Quote(one.item, one.price_micros, self._clock) for one in shown]
        self._told.update((one.item, one.price_micros) for one in shown)
        self._more_open = False
        self.view = View(place, shown, tuple(self._cart), query, more)

    def _cart_page(self, place: Place) -> None:
        """Prices of the cart are those shown last."""
        card, items = self._shelf.card, [self._items[name] for name in self._cart]
        lines = tuple(card(item, self._last(item)) for item in items)
        self.view = View(place, lines, tuple(self._cart))

    def _shown(self, item: Item) -> Shown:
        return self._shelf.card(item, bounded(item, self._price(item, self._interest)))

    def _last(self, item: Item) -> int:
        """What limits and orders go by, as in the shop: the price last shown, else the base."""
        return self._told.get(item.item, item.base_micros)


def recorded(act: Act, before: Query) -> list[str]:
    """The actions the shop writes down: for a list every part of the query that is not as before,
    in the shop's order. The front page, another page of a list and the same again are page views.
    """
    if act.action not in ASKING and not (act.action == "page_view" and act.place == "list"):
        return [act.action]
    now, was = asked(act.query), asked(before)
    if now == asked(ALL):
        return ["page_view"]
    changed = (name for name in now if now[name] != was[name])
    return [*changed] or ["page_view"]


def asked(query: Query) -> dict[str, object]:
    """What a query asks for, by the action that asks it."""
    return {
        "search": query.words.split(),
        "filter_date": query.date,
        "filter_price": (query.max_price_micros, sorted(query.facets)),
        "sort": query.order,
    }


def impossible() -> SkynetError:
    """A driver's fault."""
    return SkynetError("impossible_act", "The page does not offer this act.", 409, "action")
