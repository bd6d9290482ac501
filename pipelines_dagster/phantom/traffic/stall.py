# SPDX-License-Identifier: Apache-2.0
"""A shop in memory: pages of a catalogue without a browser, one visit's worth of state."""

from __future__ import annotations

from collections.abc import Sequence

from bls.errors import SkynetError
from bls.phantom.session import Quote
from bls.phantom.shop import Item
from pipelines_dagster.phantom.traffic.prices import Interest, Price, bounded
from pipelines_dagster.phantom.traffic.shelf import Shelf
from pipelines_dagster.phantom.traffic.view import ALL, Act, Place, Query, Shown, View

PAGE = 12
"""Cards on a list page."""

_LISTS = frozenset({"search", "filter_date", "filter_price", "sort"})
_HOVERS = frozenset({"hover_title", "hover_paragraph", "hover_link", "learn_more"})


class Stall:
    """Answers one visitor's acts with pages; writes down the price of everything it shows."""

    def __init__(self, shelf: Shelf, price: Price, adverts: Sequence[str]) -> None:
        self._shelf, self._shop, self._price = shelf, shelf.shop, price
        self._quoted: dict[str, int] = {}
        self._asked = ALL
        self._interest = Interest()
        self._cart: list[str] = []
        self.quotes: list[Quote] = []
        self.view = View("outside", tuple(self._shown(self._shop.item(name)) for name in adverts))

    def records(self, act: Act) -> str:
        """The action this act will be written down as."""
        return recorded(act, self._asked)

    def perform(self, act: Act, ts_ms: int) -> View:
        """The page after an act. Raises `impossible_act` for what this page does not offer."""
        action, item = act.action, act.item
        on_page = self.view.place == "outside" or any(one.item == item for one in self.view.items)
        if item and not on_page and action != "remove":
            raise _impossible()
        if action in _HOVERS:
            if not item:
                raise _impossible()
        elif action == "view_item":
            self._show("item", [self._shop.item(item)], ts_ms)
        elif action in _LISTS:
            self._list(act.query, ts_ms)
        elif action == "page_view":
            self._visit(act, ts_ms)
        else:
            self._buy(action, item, ts_ms)
        self._interest.push(action, item)
        if self.view.place == "list":
            self._asked = self.view.query
        return self.view

    def _visit(self, act: Act, ts_ms: int) -> None:
        if act.place == "list":
            self._list(act.query, ts_ms)
        elif act.place == "cart":
            self._show("cart", [self._shop.item(name) for name in self._cart], ts_ms)
        else:
            raise _impossible()

    def _buy(self, action: str, item: str, ts_ms: int) -> None:
        place = self.view.place
        if action == "add_item" and item and place in ("item", "list"):
            if item not in self._cart:
                self._cart.append(item)
            self.view = self._with(place, self.view.items)
        elif action == "remove" and item in self._cart:
            self._cart.remove(item)
            self._show("cart", [self._shop.item(name) for name in self._cart], ts_ms)
        elif action == "checkout" and self._cart:
            self._show("checkout", [self._shop.item(name) for name in self._cart], ts_ms)
        elif action == "purchase" and place == "checkout":
            self._cart.clear()
            self.view = View("done")
        else:
            raise _impossible()

    def _list(self, query: Query, ts_ms: int) -> None:
        found = self._shelf.find(query)
        if query.max_price_micros is not None:
            found = [item for item in found if self._last(item) <= query.max_price_micros]
        if query.order == "price":
            found.sort(key=self._last)
        elif query.order == "name":
            found.sort(key=lambda item: item.title)
        begin = PAGE * (query.page - 1)
        self._show("list", found[begin : begin + PAGE], ts_ms, query, len(found) > begin + PAGE)

    def _show(
        self,
        place: Place,
        items: Sequence[Item],
        ts_ms: int,
        query: Query = ALL,
        more: bool = False,
    ) -> None:
        shown = tuple(self._shown(item) for item in items)
        self.quotes += [Quote(one.item, one.price_micros, ts_ms) for one in shown]
        self._quoted.update((one.item, one.price_micros) for one in shown)
        self.view = self._with(place, shown, query, more)

    def _with(
        self, place: Place, shown: tuple[Shown, ...], query: Query | None = None, more: bool = False
    ) -> View:
        if query is None:
            query, more = self.view.query, self.view.more
        return View(place, shown, tuple(self._cart), query, more)

    def _shown(self, item: Item) -> Shown:
        price = bounded(item, self._price(item, self._interest))
        return Shown(item.item, item.title, price, item.facets, item.dates)

    def _last(self, item: Item) -> int:
        """What limits and orders go by, as in the shop: the price last shown, else the base."""
        return self._quoted.get(item.item, item.base_micros)


def recorded(act: Act, before: Query) -> str:
    """The action the shop writes down: asking for a list again as it was is a page view."""
    now = act.query
    changed = {
        "search": now.words != before.words,
        "filter_date": now.date != before.date,
        "filter_price": (now.max_price_micros, now.facets)
        != (before.max_price_micros, before.facets),
        "sort": now.order != before.order,
    }
    return act.action if changed.get(act.action, True) else "page_view"


def _impossible() -> SkynetError:
    return SkynetError("impossible_act", "The page does not offer this act.", 409, "action")
