# SPDX-License-Identifier: Apache-2.0
"""What a visitor of the shop can do, and how much each act says about wanting an item.

Source: PHANTOM's model, "Actions and weights omega"; the prefix rule for unknown names is the
published engine's. The order is a contract: rows and columns of `TRANSITIONS` follow it.
"""

from __future__ import annotations

from enum import Enum


class Category(Enum):
    """A kind of act; its value is omega, the weight of one such act in the demand proxy."""

    CART = 4.0
    DWELL = 2.0
    NAVIGATION = 1.0
    FILTER = 0.5


ACTIONS: dict[str, Category] = {
    "add_item": Category.CART,
    "remove": Category.CART,
    "checkout": Category.CART,
    "purchase": Category.CART,
    "hover_title": Category.DWELL,
    "hover_paragraph": Category.DWELL,
    "hover_link": Category.DWELL,
    "page_view": Category.NAVIGATION,
    "view_item": Category.NAVIGATION,
    "learn_more": Category.NAVIGATION,
    "search": Category.FILTER,
    "filter_date": Category.FILTER,
    "filter_price": Category.FILTER,
    "sort": Category.FILTER,
}
NAMES = tuple(ACTIONS)
INDEX = {name: number for number, name in enumerate(NAMES)}

OTHERWISE = "page_view"
"""What a name becomes that begins like no known one."""
_PREFIXES = (
    ("add", "add_item"),
    ("remove", "remove"),
    ("delete", "remove"),
    ("cart", "add_item"),
    ("checkout", "checkout"),
    ("purchase", "purchase"),
    ("buy", "purchase"),
    ("hover_link", "hover_link"),
    ("hover_p", "hover_paragraph"),
    ("hover", "hover_title"),
    ("dwell", "hover_paragraph"),
    ("view", "view_item"),
    ("click", "view_item"),
    ("learn", "learn_more"),
    ("search", "search"),
    ("filter_date", "filter_date"),
    ("filter", "filter_price"),
    ("sort", "sort"),
)


def canonical(name: str) -> str:
    """The action that a name stands for: itself, else the nearest by prefix, else `page_view`."""
    if name in ACTIONS:
        return name
    lowered = name.strip().lower().replace("-", "_").replace(" ", "_")
    if lowered in ACTIONS:
        return lowered
    return next((action for prefix, action in _PREFIXES if lowered.startswith(prefix)), OTHERWISE)


def omega(action: str) -> float:
    """Weight of one act, after `canonical`."""
    return ACTIONS[canonical(action)].value
