# SPDX-License-Identifier: Apache-2.0
"""The query string of `/`: what it asks for, what of the catalogue fits, and which acts it was."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from functools import lru_cache

from bls.phantom.shop import Item

SORTS = ("default", "price", "name")
QUERY_CHARS = 100
PAGES = 1_000
_MICROS = 1_000_000
_DEAREST = 1_000_000
_TEXTS = 1_024
"""Texts of the catalogue kept as `plain` has them: two an item. Never what a visitor searches."""


@dataclass(frozen=True, slots=True)
class Criteria:
    """A checked query. Empty means any; `max_micros` None is no limit; `date` is ISO.

    Attributes:
        facets: pairs of facet and value, in the shop's order of filters.
        faults: what could not be read and was left out, in words.
    """

    q: str = ""
    sort: str = "default"
    max_micros: int | None = None
    date: str = ""
    facets: tuple[tuple[str, str], ...] = ()
    page: int = 1
    faults: tuple[str, ...] = ()

    @property
    def plain(self) -> bool:
        """Nothing is asked for: the front page."""
        return (
            not (self.q or self.date or self.facets)
            and self.sort == "default"
            and (self.max_micros is None)
        )

    @property
    def max_price(self) -> str:
        """As it stands in the field, whole units where it is whole."""
        if self.max_micros is None:
            return ""
        return f"{Decimal(self.max_micros) / _MICROS:f}"

    def chosen(self, facet: str) -> str:
        """The value that is asked of a facet."""
        return dict(self.facets).get(facet, "")

    def query(self) -> dict[str, str]:
        """As a query string has it, without the page."""
        told = {"q": self.q, "max_price": self.max_price, "date": self.date} | dict(self.facets)
        if self.sort != "default":
            told["sort"] = self.sort
        return {name: value for name, value in told.items() if value}


def read_criteria(params: Mapping[str, str], filters: Mapping[str, Sequence[str]]) -> Criteria:
    """What a query string asks. Never raises: what makes no sense is left out and said.

    Args:
        filters: facet -> the values it can have.
    """
    faults: list[str] = []

    def left_out(what: str) -> None:
        faults.append(f"We could not read {what}, so it was left out.")

    sort = params.get("sort") or "default"
    if sort not in SORTS:
        left_out("the order")
        sort = "default"
    day = params.get("date", "").strip()
    if day and not _is_day(day):
        left_out("the date")
        day = ""
    most = _micros(params.get("max_price", "").strip())
    if most is not None and most < 0:
        left_out("the highest price")
        most = None
    facets = []
    for facet, values in filters.items():
        value = params.get(facet, "")
        if value in values:
            facets.append((facet, value))
        elif value:
            left_out(f"the filter “{facet}”")
    page = params.get("page", "")
    number = int(page) if page.isascii() and page.isdecimal() and len(page) < 5 else 1
    q = " ".join(params.get("q", "")[:QUERY_CHARS].split())
    return Criteria(q, sort, most, day, tuple(facets), max(1, min(number, PAGES)), tuple(faults))


def _is_day(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def _micros(text: str) -> int | None:
    """Micro-units of a decimal; None for nothing, -1 for nonsense."""
    if not text:
        return None
    try:
        value = Decimal(text)
    except InvalidOperation:
        return -1
    if not value.is_finite() or not 0 <= value <= _DEAREST:
        return -1
    return int(value * _MICROS)


def find(items: Sequence[Item], criteria: Criteria, price_of: Callable[[Item], int]) -> list[Item]:
    """What fits, in the order asked for.

    Args:
        price_of: the price that limits and sorting go by: the last one shown, else the base.
    """
    words = plain(criteria.q).split()
    fitting = [item for item in items if _fits(item, criteria, words, price_of)]
    if criteria.sort == "price":
        fitting.sort(key=price_of)
    elif criteria.sort == "name":
        fitting.sort(key=lambda item: _sold(item.title))
    return fitting


def _fits(
    item: Item, criteria: Criteria, words: Sequence[str], price_of: Callable[[Item], int]
) -> bool:
    if any(item.facets.get(facet) != value for facet, value in criteria.facets):
        return False
    if criteria.date and not item.dates[0] <= criteria.date <= item.dates[1]:
        return False
    if criteria.max_micros is not None and price_of(item) > criteria.max_micros:
        return False
    if not words:
        return True
    said = _sold(" ".join((item.title, item.text, *item.facets.values())))
    return all(word in said for word in words)


@lru_cache(_TEXTS)
def _sold(text: str) -> str:
    """`plain` of a text of the catalogue."""
    return plain(text)


def plain(text: str) -> str:
    """Without case and accents, so `graca` finds Graça."""
    split = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in split if not unicodedata.combining(letter))


def acts(before: Criteria, now: Criteria) -> list[tuple[str, dict[str, object]]]:
    """What a visitor did by asking this after that: actions with their facts, no words of theirs.

    Turning a page, or asking the same again, is a page view.
    """
    if now.plain:
        return [("page_view", {})]
    did: list[tuple[str, dict[str, object]]] = []
    if now.q != before.q:
        did.append(("search", {}))
    if now.date != before.date:
        did.append(("filter_date", {"start": now.date} if now.date else {}))
    if (now.max_micros, now.facets) != (before.max_micros, before.facets):
        did.append(("filter_price", _limits(before, now)))
    if now.sort != before.sort:
        did.append(("sort", {"by": now.sort}))
    return did or [("page_view", {})]


def _limits(before: Criteria, now: Criteria) -> dict[str, object]:
    """What was limited: the price, and the first facet that is new."""
    told: dict[str, object] = {}
    if now.max_micros is not None and now.max_micros != before.max_micros:
        told["max_price_micros"] = now.max_micros
    for facet, value in now.facets:
        if before.chosen(facet) != value:
            return told | {"facet": facet, "value": value}
    return told
