# SPDX-License-Identifier: Apache-2.0
"""The query string: read without trust, told as acts, and what it finds."""

from __future__ import annotations

import pytest

from bls.phantom.shop import catalogue
from client.storefront.search import Criteria, acts, find, read_criteria

ITEMS = list(catalogue("hotel").items.values())
FILTERS = {"city": ["Lisbon", "Porto"], "stars": ["3", "5"]}


def base(item: object) -> int:
    return int(item.base_micros)  # type: ignore[attr-defined]


def test_a_whole_query() -> None:
    told = {"q": "  river  view ", "sort": "price", "max_price": "99.5", "date": "2027-07-01"}
    asked = read_criteria(told | {"city": "Porto", "page": "3"}, FILTERS)
    assert asked == Criteria(
        "river view", "price", 99_500_000, "2027-07-01", (("city", "Porto"),), 3
    )
    assert read_criteria(asked.query(), FILTERS) == read_criteria(
        told | {"city": "Porto", "q": "river view"}, FILTERS
    )
    assert not asked.plain and Criteria().plain


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("sort", "dearest"),
        ("date", "2027-02-30"),
        ("date", "20270201"),
        ("max_price", "cheap"),
        ("max_price", "-1"),
        ("max_price", "NaN"),
        ("max_price", "1e999"),
        ("city", "Atlantis"),
    ],
)
def test_what_cannot_be_read_is_left_out_and_said(name: str, value: str) -> None:
    asked = read_criteria({name: value}, FILTERS)
    assert asked.plain and len(asked.faults) == 1 and value not in asked.faults[0]


@pytest.mark.parametrize("page", ["0", "-1", "x", "٣", "99999999999", ""])
def test_any_page_is_some_page(page: str) -> None:
    assert 1 <= read_criteria({"page": page}, FILTERS).page <= 1_000


def test_search_ignores_case_and_accents() -> None:
    assert [item.item for item in find(ITEMS, Criteria(q="GRACA"), base)] == ["lis-graca-lookout"]
    assert find(ITEMS, Criteria(q="no such words here"), base) == []


def test_filters_and_order() -> None:
    cheap = find(ITEMS, Criteria(sort="price", max_micros=60_000_000), base)
    assert cheap and [base(item) for item in cheap] == sorted(base(item) for item in cheap)
    assert all(base(item) <= 60_000_000 for item in cheap)
    named = find(ITEMS, Criteria(sort="name", facets=(("city", "Vienna"),)), base)
    assert len(named) == 6 and {item.facets["city"] for item in named} == {"Vienna"}
    winter = find(ITEMS, Criteria(date="2027-01-15"), base)
    assert "gda-brzezno-pier" not in {item.item for item in winter} and len(winter) < len(ITEMS)


def test_what_changed_is_what_was_done() -> None:
    empty = Criteria()
    assert acts(empty, empty) == [("page_view", {})]
    assert acts(empty, Criteria(page=2)) == [("page_view", {})]
    searched = Criteria(q="river")
    assert acts(empty, searched) == [("search", {})], "no words of the visitor"
    assert acts(searched, searched) == [("page_view", {})]
    assert acts(searched, empty) == [("page_view", {})], "the front page again"
    everything = Criteria("river", "price", 50_000_000, "2027-07-01", (("city", "Porto"),))
    assert acts(searched, everything) == [
        ("filter_date", {"start": "2027-07-01"}),
        ("filter_price", {"max_price_micros": 50_000_000, "facet": "city", "value": "Porto"}),
        ("sort", {"by": "price"}),
    ]
    assert acts(Criteria("river", date="2027-07-01"), searched) == [("filter_date", {})]
