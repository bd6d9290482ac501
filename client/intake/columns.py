# SPDX-License-Identifier: Apache-2.0
"""Which column of a file holds what, by the names that shops, feeds and data sets use."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bls.errors import invalid

SYNONYMS: Mapping[str, tuple[str, ...]] = {
    "id": ("id", "product_id", "msg_id", "sku", "item_id", "offer_id", "gtin", "asin"),
    "title": ("title", "ad_title", "name", "product_name", "product_title", "headline", "product"),
    "description": ("description", "ad_description", "body", "text", "details", "summary",
                    "product_description"),
    "advertiser": ("advertiser", "advertiser_id", "adv_id", "account"),
    "brand": ("brand", "brand_name", "manufacturer", "vendor", "make"),
    "seller": ("source", "seller", "merchant", "shop", "store", "retailer"),
    "website": ("website", "url", "link", "site", "domain", "landing_page", "final_url"),
    "category": ("category", "cluster_category", "product_type", "google_product_category",
                 "product_category", "department", "type"),
}  # fmt: skip
"""What a creative is made of -> names of columns, the first found counts."""

_ODD = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True)
class Columns:
    """Column by field; a field without one is empty in every row.

    Attributes:
        advertiser: whose the ad is: the first of these that is not empty in a row.
    """

    named: Mapping[str, str]
    advertiser: tuple[str, ...]

    def cell(self, field: str, cells: Mapping[str, str]) -> str:
        """A row's value of a field, empty when the file has no such column."""
        column = self.named.get(field)
        return cells[column] if column is not None else ""


def find_columns(
    header: Sequence[str], given: Mapping[str, str], advertiser: str | None = None
) -> Columns:
    """The columns of a file.

    Args:
        given: field -> column, before any synonym (`--map title=ad_title`).
        advertiser: the column that says whose the ad is; else advertiser, brand, seller, website.

    Raises:
        SkynetError: `no_column` for one that is named and not there, or for a missing title;
            `unknown_field`.
    """
    known = {_plain(name): name for name in header}
    named: dict[str, str] = {}
    for field, column in given.items():
        if field not in SYNONYMS:
            raise invalid("unknown_field", f"There is no field {field!r}; {_choices()}.", "--map")
        named[field] = _column(known, column)
    for field, names in SYNONYMS.items():
        found = next((known[name] for name in names if name in known), None)
        if found is not None and found not in named.values():
            named.setdefault(field, found)
    if "title" not in named:
        raise invalid("no_column", "No column is the title; say which: --map title=COLUMN.")
    if advertiser is not None:
        return Columns(named, (_column(known, advertiser),))
    whose = ("advertiser", "brand", "seller", "website")
    return Columns(named, tuple(named[field] for field in whose if field in named))


def _column(known: Mapping[str, str], name: str) -> str:
    found = known.get(_plain(name))
    if found is None:
        raise invalid("no_column", f"The file has no column {name!r}.")
    return found


def _plain(name: str) -> str:
    return _ODD.sub("_", name.lower()).strip("_")


def _choices() -> str:
    return "known are " + ", ".join(SYNONYMS)
