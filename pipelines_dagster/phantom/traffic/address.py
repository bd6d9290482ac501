# SPDX-License-Identifier: Apache-2.0
"""A query as the shop's address bar has it."""

from __future__ import annotations

from decimal import Decimal
from urllib.parse import urlencode

from pipelines_dagster.phantom.traffic.view import Query


def path_of(query: Query) -> str:
    """Path and query string of a list."""
    told = {"q": query.words, "date": query.date, **dict(query.facets)}
    if query.max_price_micros is not None:
        told["max_price"] = amount(query.max_price_micros)
    if query.order != "default":
        told["sort"] = query.order
    if query.page > 1:
        told["page"] = str(query.page)
    told = {name: value for name, value in told.items() if value}
    return f"/?{urlencode(told)}" if told else "/"


def amount(micros: int) -> str:
    """As typed: whole units, or decimals where there are any."""
    return f"{(Decimal(micros) / 1_000_000).normalize():f}"
