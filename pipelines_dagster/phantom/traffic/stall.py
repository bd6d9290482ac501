# SPDX-License-Identifier: Apache-2.0
"""A shop in memory: pages of a catalogue without a browser, one visit's worth of state."""

from __future__ import annotations

from collections.abc import Sequence

from bls.errors import SkynetError
from bls.phantom.session import Quote
from bls.phantom.shop import Catalogue, Item
from pipelines_dagster.phantom.traffic.prices import Interest, Price, bounded
from pipelines_dagster.phantom.traffic.view import ALL, Act, Place, Query, Shown, View

PAGE = 12
"""Cards on a list page."""

_LISTS = frozenset({"search", "filter_date", "filter_price", "sort"})
_HOVERS = frozenset({"hover_title", "hover_paragraph", "hover_link", "learn_more"})


class Stall:
    """Answers one visitor's acts with pages; writes down the price of everything it shows."""

    def __init__(self, shop: Catalogue, price: Price, adverts: Sequence[str]) -> None:
        self._shop, self._price = shop, price
        self._interest = Interest()
        self._cart: list[str] = []
        self.quotes: list[Quote] = []
        self.view = View("outside", tuple(self._shown(shop.item(name)) for name in adverts))

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
        found = [item for item in self._shop.items.values() if _kept(item, query)]
        prices = {item.item: self._quoted(item) for item in found}
        if query.max_price_micros is not None:
            found = [item for item in found if prices[item.item] <= query.max_price_micros]
        if query.order == "price":
            found.sort(key=lambda item: prices[item.item])
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
        self.view = self._with(place, shown, query, more)

    def _with(
        self, place: Place, shown: tuple[Shown, ...], query: Query | None = None, more: bool = False
    ) -> View:
        if query is None:
            query, more = self.view.query, self.view.more
        return View(place, shown, tuple(self._cart), query, more)

    def _shown(self, item: Item) -> Shown:
        return Shown(item.item, item.title, self._quoted(item), item.facets, item.dates)

    def _quoted(self, item: Item) -> int:
        return bounded(item, self._price(item, self._interest))


def _kept(item: Item, query: Query) -> bool:
    if any(item.facets.get(name) != value for name, value in query.facets):
        return False
    if query.date and not item.dates[0] <= query.date <= item.dates[1]:
        return False
    if not query.words:
        return True
    text = " ".join((item.title, item.text, *item.facets.values())).lower()
    return all(word in text for word in query.words.lower().split())


def _impossible() -> SkynetError:
    return SkynetError("impossible_act", "The page does not offer this act.", 409, "action")
