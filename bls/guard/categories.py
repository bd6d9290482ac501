# SPDX-License-Identifier: Apache-2.0
"""What ads sell, and where they may not appear.

A campaign names one category; the guard's reason for a user's text names those that may not be
shown beside it. A reason that is not listed here forbids every ad: a doubt costs money, not trust.
"""

from __future__ import annotations

from types import MappingProxyType

ALL = "*"
"""Every category at once."""

PRESSURING = frozenset(
    {"payday_loans", "loans", "gambling", "alcohol", "tobacco", "crypto", "trading", "weight_loss"}
    | {"cosmetic_surgery", "dating", "fortune_telling", "debt_relief", "lottery", "firearms"}
)
"""Sold best to people who are not well: never beside distress or want of money."""

CATEGORIES = PRESSURING | frozenset(
    {"general", "travel", "hotels", "flights", "car_rental", "restaurants", "food", "groceries"}
    | {"retail", "fashion", "beauty", "jewelry", "electronics", "software", "games", "toys"}
    | {"books", "music", "film", "events", "sports", "outdoors", "fitness", "home", "garden"}
    | {"furniture", "appliances", "tools", "cars", "real_estate", "moving", "pets", "baby"}
    | {"education", "jobs", "business", "telecom", "utilities", "insurance", "banking", "finance"}
    | {"legal", "health", "pharmacy", "charity", "government", "politics", "religion", "news"}
)
"""Every category a campaign may have; `general` where nothing else fits."""

_EVERYTHING = frozenset({ALL})
_MONEY = frozenset({"finance", "banking", "insurance", "jewelry"})
_FORBIDDEN = MappingProxyType(
    {
        "": frozenset[str](),
        "distress": PRESSURING | {"pharmacy", "health", "finance"},
        "money_trouble": PRESSURING | _MONEY,
        "addiction": PRESSURING | {"pharmacy", "games"},
    }
    | dict.fromkeys(
        ("self_harm", "crisis", "despair", "medical", "maths", "minors", "toxic", "injection"),
        _EVERYTHING,
    )
)

REASONS = frozenset(_FORBIDDEN) - {""}
"""Reasons with rules of their own."""


def forbidden(reason: str) -> frozenset[str]:
    """Categories that may not appear beside a text the guard ruled on with this reason; `*` in it
    means no ad at all. Empty for the empty reason, everything for one that is not known."""
    return _FORBIDDEN.get(reason, _EVERYTHING)
