# SPDX-License-Identifier: Apache-2.0
"""What may be told with an act, action by action, and what of it is kept.

An act on an item names one of the catalogue; only a dwelling act lasts; each action has facts of
its own (`meta`). A visitor's words are never kept: of a search only its length is.
"""

from __future__ import annotations

import json
from datetime import date
from typing import Annotated

from pydantic import Field, field_validator

from bls.errors import SkynetError, invalid
from bls.limits import LIMITS
from bls.phantom.actions import ACTIONS, Category
from bls.phantom.shop import Catalogue
from bls.request import Name, Strict

ON_ITEM = frozenset({"add_item", "remove", "view_item", "hover_title", "hover_paragraph"})
"""Acts that need an item; a filter, a search and a sort have none, the others may."""

DWELL_MS = 86_400_000
"""Longest that an act may last: a day."""


class Meta(Strict):
    """Facts of an act.

    Attributes:
        q: what was searched for; only how long it is is kept.
        by: what is sorted by.
        start, end: ISO dates of `filter_date`.
        max_price_micros: of `filter_price`.
        facet, value: what is filtered by; both are of the catalogue.
    """

    q: Annotated[str, Field(max_length=LIMITS.search_chars)] | None = None
    by: Annotated[str, Field(pattern=r"^(price|name|default)$")] | None = None
    start: str | None = None
    end: str | None = None
    max_price_micros: Annotated[int, Field(ge=0, le=2**53)] | None = None
    facet: Name | None = None
    value: Annotated[str, Field(min_length=1, max_length=64)] | None = None

    @field_validator("start", "end")
    @classmethod
    def _is_day(cls, value: str | None) -> str | None:
        if value is not None:
            date.fromisoformat(value)
        return value


_FACTS: dict[str, frozenset[str]] = {
    "search": frozenset({"q"}),
    "sort": frozenset({"by"}),
    "filter_date": frozenset({"start", "end"}),
    "filter_price": frozenset({"max_price_micros", "facet", "value"}),
}


def check_item(action: str, item: str | None, shop: Catalogue, where: str) -> str:
    """The item of an act, empty for none. Raises `missing_field`, `unknown_item`,
    `invalid_value`."""
    category = ACTIONS[action]
    if item is None:
        if action in ON_ITEM:
            raise invalid("missing_field", f"{where}: {action} is an act on an item.", where)
        return ""
    if category is Category.FILTER:
        raise invalid("invalid_value", f"{where}: {action} is an act on no item.", where)
    known_item(item, shop, where)
    return item


def known_item(item: str, shop: Catalogue, where: str) -> None:
    """Raises `unknown_item`."""
    if item not in shop.items:
        raise SkynetError("unknown_item", f"{where}: There is no such item.", 400, where)


def check_dwell(action: str, dwell_ms: int, where: str) -> None:
    """Raises `invalid_value` where lasting means nothing."""
    if dwell_ms and ACTIONS[action] is not Category.DWELL:
        raise invalid("invalid_value", f"{where}: {action} does not last.", where)


def check_time(ts_ms: int, now: float, where: str) -> None:
    """Raises `too_old`, `in_the_future`: no clock is that far off."""
    if ts_ms < (now - LIMITS.event_age_s) * 1000:
        raise invalid("too_old", f"{where}: This was too long ago.", where)
    if ts_ms > (now + LIMITS.event_ahead_s) * 1000:
        raise invalid("in_the_future", f"{where}: This has not happened yet.", where)


def kept(action: str, meta: Meta | None, shop: Catalogue, where: str) -> str:
    """What is recorded of an act's facts: JSON, empty for none. Raises `unknown_field`,
    `invalid_value`."""
    told = {} if meta is None else meta.model_dump(exclude_none=True)
    for name in told.keys() - _FACTS.get(action, frozenset()):
        raise invalid(
            "unknown_field", f"{where}.{name}: {action} has no such fact.", f"{where}.{name}"
        )
    if "facet" in told or "value" in told:
        _check_facet(told, shop, where)
    if "q" in told:
        told = {"chars": len(told["q"])}
    return json.dumps(told, sort_keys=True, separators=(",", ":")) if told else ""


def _check_facet(told: dict[str, str], shop: Catalogue, where: str) -> None:
    """A facet and its value are words of the catalogue, so they are nobody's own."""
    facet, value = told.get("facet"), told.get("value")
    if facet is None or not any(item.facets.get(facet) == value for item in shop.items.values()):
        raise invalid("invalid_value", f"{where}: No item has this facet.", f"{where}.facet")
