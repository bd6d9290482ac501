# SPDX-License-Identifier: Apache-2.0
"""What a driver sees of the shop, and what it can do there: the same on every ground."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Place = Literal["outside", "list", "item", "cart", "checkout", "done"]
ASKING = frozenset({"search", "filter_date", "filter_price", "sort"})
"""Acts that ask for a list."""

Order = Literal["default", "price", "name"]


@dataclass(frozen=True, slots=True)
class Query:
    """What a list is asked for: the query string of `/`.

    Attributes:
        words: of the search box.
        facets: kept items have exactly these.
        max_price_micros: None for any.
        date: ISO day; empty for any.
        page: from 1.
    """

    words: str = ""
    order: Order = "default"
    facets: tuple[tuple[str, str], ...] = ()
    max_price_micros: int | None = None
    date: str = ""
    page: int = 1


ALL = Query()


@dataclass(frozen=True, slots=True)
class Shown:
    """One item on the page, at the price it is offered for."""

    item: str
    title: str
    price_micros: int
    facets: Mapping[str, str]
    dates: tuple[str, str] = ("", "")


@dataclass(frozen=True, slots=True)
class View:
    """A page.

    Attributes:
        items: a list's cards in their order; the one item of its page; the cart's. Outside of the
            shop: what links elsewhere on the web lead to.
        cart: ids in it.
        query: that made the list.
        more: whether the list has a next page.
    """

    place: Place
    items: tuple[Shown, ...] = ()
    cart: tuple[str, ...] = ()
    query: Query = ALL
    more: bool = False


@dataclass(frozen=True, slots=True)
class Act:
    """One thing done. Leaving is not an act: a visit that ends has left.

    Attributes:
        action: one of `bls.phantom.actions.ACTIONS`.
        item: that it is done to; empty for none.
        think_ms: from the page being there, or the last act's end, to this act.
        dwell_ms: how long a hover lasts.
        aim_ms: how long the pointer rests on a link or button before the click.
        query: of a list asked for: with `search`, `filter_*`, `sort`, and a `page_view` of a list.
        place: which page a `page_view` asks for.
    """

    action: str
    item: str = ""
    think_ms: int = 0
    dwell_ms: int = 0
    aim_ms: int = 0
    query: Query = field(default=ALL)
    place: Place = "list"
