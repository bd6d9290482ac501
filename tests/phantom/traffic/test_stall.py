# SPDX-License-Identifier: Apache-2.0
"""The shop in memory: pages, what is written down, prices in bounds, acts that a page lacks."""

from random import Random

import pytest

from bls.errors import SkynetError
from client.storefront.search import Criteria, acts, read_criteria
from pipelines_dagster.phantom.traffic.prices import Interest, base_price, bounded, surge_price
from pipelines_dagster.phantom.traffic.shelf import Shelf
from pipelines_dagster.phantom.traffic.stall import LEAST_HOVER_MS, PAGE, Stall, recorded
from pipelines_dagster.phantom.traffic.view import ALL, Act, Query
from pipelines_dagster.phantom.traffic.wares import made_up

SHOP = made_up("hotel")
FIRST = next(iter(SHOP.items))
QUERIES = [
    ALL,
    Query(page=2),
    Query(words="Brine"),
    Query(words=" Brine ", order="price"),
    Query(facets=(("city", "Brine"), ("board", "none")), max_price_micros=90_000_000),
    Query(facets=(("board", "none"), ("city", "Brine")), date="2026-05-01", page=3),
]


def criteria(query: Query) -> Criteria:
    """As the shop reads the query of a list."""
    asked = dict(query.facets) | {"q": query.words, "sort": query.order, "date": query.date}
    if query.max_price_micros is not None:
        asked["max_price"] = f"{query.max_price_micros / 1e6:f}"
    return read_criteria(asked, {"city": ("Brine",), "board": ("none",)})


@pytest.fixture
def stall() -> Stall:
    return Stall(Shelf(SHOP), surge_price, [FIRST], 1_000, Random(1))


def actions(stall: Stall) -> list[str]:
    return [one.action for one in stall.events]


def test_pages_of_a_list(stall: Stall) -> None:
    first = stall.perform(Act("page_view"))
    second = stall.perform(Act("page_view", query=Query(page=2)))
    assert (len(first.items), first.more) == (PAGE, True)
    assert not {one.item for one in first.items} & {one.item for one in second.items}
    assert len(stall.quotes) == 2 * PAGE
    last = stall.perform(Act("page_view", query=Query(page=5)))
    assert (len(last.items), last.more) == (PAGE, False)


def test_queries(stall: Stall) -> None:
    by_facet = stall.perform(Act("filter_price", query=Query(facets=(("city", "Brine"),))))
    assert {one.facets["city"] for one in by_facet.items} == {"Brine"}
    by_words = stall.perform(Act("search", query=Query(words="BRINE")))
    assert by_words.items == by_facet.items
    cheap = stall.perform(Act("sort", query=Query(order="price")))
    prices = [one.price_micros for one in cheap.items]
    assert prices == sorted(prices)
    named = stall.perform(Act("sort", query=Query(order="name")))
    assert [one.title for one in named.items] == sorted(one.title for one in named.items)
    limit = prices[3]
    within = stall.perform(Act("filter_price", query=Query(max_price_micros=limit)))
    assert all(one.price_micros <= limit for one in within.items)
    assert not stall.perform(Act("filter_date", query=Query(date="2031-01-01"))).items


@pytest.mark.spec("PH-07")
def test_asking_again_is_a_page_view(stall: Stall) -> None:
    query = Query(words="Brine")
    for _ in range(2):
        stall.perform(Act("search", query=query))
    stall.perform(Act("sort", query=ALL))
    assert actions(stall) == ["search", "page_view", "page_view"]


@pytest.mark.spec("PH-07")
def test_every_part_of_a_list_that_changed_is_told(stall: Stall) -> None:
    stall.perform(Act("search", query=Query(words="Brine")))
    stall.perform(Act("sort", query=Query(order="price", facets=(("city", "Brine"),))))
    stall.perform(Act("page_view", query=Query(order="name", page=2)))
    stall.perform(Act("search", query=ALL))
    told = ["search", "search", "filter_price", "sort", "filter_price", "sort", "page_view"]
    assert actions(stall) == told


@pytest.mark.spec("PH-07")
@pytest.mark.parametrize("before", QUERIES)
@pytest.mark.parametrize("now", QUERIES)
def test_a_list_is_told_as_the_shop_tells_it(before: Query, now: Query) -> None:
    told = [name for name, _ in acts(criteria(before), criteria(now))]
    for action in ("search", "filter_date", "filter_price", "sort", "page_view"):
        assert recorded(Act(action, query=now), before) == told


@pytest.mark.spec("PH-07")
def test_hovers_end_when_told_and_short_ones_are_not(stall: Stall) -> None:
    stall.perform(Act("page_view"))
    before = stall.events[-1].ts_ms
    stall.perform(Act("hover_title", FIRST, think_ms=10, dwell_ms=LEAST_HOVER_MS - 1))
    stall.perform(Act("hover_paragraph", FIRST, think_ms=10, dwell_ms=900))
    assert actions(stall) == ["page_view", "hover_paragraph"]
    assert stall.events[-1].dwell_ms == 900
    assert stall.events[-1].ts_ms >= before + 900


def test_a_clicked_link_was_hovered_over(stall: Stall) -> None:
    stall.perform(Act("page_view"))
    stall.perform(Act("view_item", FIRST, aim_ms=400))
    stall.perform(Act("learn_more", FIRST, aim_ms=400))
    stall.perform(Act("hover_link", FIRST, dwell_ms=400))
    told = [(one.action, one.item) for one in stall.events[1:]]
    assert told == [
        ("view_item", FIRST),
        ("hover_title", FIRST),
        ("learn_more", FIRST),
        ("hover_link", FIRST),
        ("hover_link", ""),
    ]
    assert stall.events[2].dwell_ms > 400


def test_cart_to_thanks(stall: Stall) -> None:
    stall.perform(Act("view_item", FIRST))
    assert stall.perform(Act("add_item", FIRST)).cart == (FIRST,)
    assert stall.perform(Act("remove", FIRST)).cart == ()
    stall.perform(Act("page_view"))
    stall.perform(Act("view_item", FIRST))
    assert stall.perform(Act("add_item", FIRST)).place == "cart"
    assert stall.perform(Act("page_view", place="cart")).items[0].item == FIRST
    assert stall.perform(Act("checkout")).place == "checkout"
    done = stall.perform(Act("purchase"))
    assert (done.place, done.cart) == ("done", ())
    assert [one.item for one in stall.events if one.action == "purchase"] == [FIRST]
    assert actions(stall)[-1] == "page_view"


@pytest.mark.parametrize(
    "act",
    [
        Act("view_item"),
        Act("view_item", "no such"),
        Act("hover_title", FIRST, dwell_ms=300),
        Act("add_item", FIRST),
        Act("remove", FIRST),
        Act("checkout"),
        Act("purchase"),
        Act("learn_more", FIRST),
        Act("page_view", place="checkout"),
    ],
)
def test_impossible_acts(stall: Stall, act: Act) -> None:
    with pytest.raises(SkynetError) as caught:
        stall.perform(act)
    assert caught.value.code == "impossible_act"


def test_prices_stay_in_bounds_and_rise_with_interest(stall: Stall) -> None:
    item = SHOP.items[FIRST]
    assert bounded(item, 0) == item.floor_micros
    assert bounded(item, 1 << 60) == item.ceiling_micros
    assert base_price(item, Interest()) == surge_price(item, Interest()) == item.base_micros
    stall.perform(Act("page_view"))
    for _ in range(3):
        stall.perform(Act("hover_title", FIRST, dwell_ms=500))
    (shown,) = stall.perform(Act("view_item", FIRST)).items
    assert shown.price_micros == min(round(1.2 * item.base_micros), item.ceiling_micros)
