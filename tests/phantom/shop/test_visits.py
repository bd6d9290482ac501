# SPDX-License-Identifier: Apache-2.0
"""Who a cookie is, and how much is remembered of how many."""

from __future__ import annotations

import pytest

from client.storefront.orders import Line, Offer, Order
from client.storefront.visits import CART_COUNT, CART_ITEMS, ORDERS, Visits


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_cookie_names_its_visit_and_no_other() -> None:
    visits = Visits(10, 60.0)
    visit, other = visits.open("x"), visits.open("y")
    assert visits.find(visit.cookie) is visit
    assert visit.sid != other.sid and visit.secret not in visit.sid


@pytest.mark.parametrize("cookie", [None, "", ".", "shop-1", "shop-1.secret", "é.ü", "a" * 5_000])
def test_no_other_cookie_is_anybody(cookie: str | None) -> None:
    assert Visits(10, 60.0).find(cookie) is None


def test_knowing_the_session_id_is_not_enough() -> None:
    visits = Visits(10, 60.0)
    visit = visits.open("x")
    for forged in (
        visit.sid,
        f"{visit.sid}.",
        f"{visit.sid}.{visit.secret[:-1]}",
        f"{visit.sid}.é",
    ):
        assert visits.find(forged) is None


def test_an_idle_visit_ends_and_the_idlest_makes_room() -> None:
    clock = Clock()
    visits = Visits(2, 60.0, clock)
    first, second = visits.open("x"), visits.open("x")
    clock.now = 50.0
    assert visits.find(first.cookie) is first
    third = visits.open("x")
    assert len(visits) == 2 and visits.find(second.cookie) is None
    assert visits.find(third.cookie) is third
    clock.now = 111.0
    assert visits.find(first.cookie) is None and len(visits) == 1


def test_a_cart_and_its_orders_are_bounded() -> None:
    visit = Visits(1, 60.0).open("x" * 9_999)
    assert len(visit.user_agent) == 512
    assert [visit.add("a") for _ in range(CART_COUNT + 1)] == [True] * CART_COUNT + [False]
    assert all(visit.add(f"i{number}") for number in range(CART_ITEMS - 1))
    assert not visit.add("one more") and visit.count == CART_COUNT + CART_ITEMS - 1
    for number in range(ORDERS + 5):
        visit.place(Order(f"o{number}", "EUR", ()))
    assert len(visit.orders) == ORDERS and "o0" not in visit.orders and not visit.cart


def test_totals_are_whole_numbers() -> None:
    lines = (Line("a", 3, 33_330_001), Line("b", 1, 7))
    assert Offer("o", lines).total_micros == Order("o", "EUR", lines).total_micros == 99_990_010
