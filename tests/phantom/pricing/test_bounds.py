# SPDX-License-Identifier: Apache-2.0
"""No multiplier takes a price past its item's bounds."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bls.phantom.pricing.bounds import CENT, MOST, base_price, quote, usable
from bls.phantom.shop import Item
from tests.phantom.pricing.stub import item

pytestmark = pytest.mark.spec("PH-13")


def of_micros(cost: int, floor: int, base: int, ceiling: int) -> Item:
    return Item("x", "x", "", {}, ("2026-01-01", "2027-01-01"), cost, floor, base, ceiling)


@st.composite
def items(draw: st.DrawFn) -> Item:
    prices = sorted(draw(st.lists(st.integers(1, 10**13), min_size=4, max_size=4)))
    return of_micros(*prices)


ANY = st.floats() | st.floats(width=32) | st.floats(0.5, 1.5)


@given(one=items(), multiplier=ANY)
def test_a_quote_never_leaves_its_bounds(one: Item, multiplier: float) -> None:
    price = quote(one, multiplier)
    assert isinstance(price, int)
    assert one.floor_micros <= price <= one.ceiling_micros
    assert price % CENT == 0 or price == one.base_micros
    if not usable(multiplier):
        assert price == base_price(one)


@given(one=items(), low=st.floats(0.01, 10), more=st.floats(0, 10))
def test_a_larger_multiplier_is_never_cheaper(one: Item, low: float, more: float) -> None:
    assert quote(one, low) <= quote(one, low + more)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, -1.0, 0.0, -0.0, MOST * 2, 1e308])
def test_what_is_no_multiplier_is_the_base_price(bad: float) -> None:
    assert not usable(bad)
    assert quote(item(), bad) == base_price(item()) == 100_000_000


@pytest.mark.parametrize(
    ("base", "multiplier", "cents"),
    [
        (100_000_000, 1.1, 11_000),
        (100_000_000, 1.1000000238418579, 11_000),  # 1.1 as FP32 has it
        (10_100_000, 1.05, 1_061),  # 10.605: half a cent goes up
        (10_100_000, 1.0499999523162842, 1_061),
        (9_990_000, 0.85, 849),  # 8.4915
        (10_004_999, 1.0, 1_000),
        (10_005_000, 1.0, 1_001),
    ],
)
def test_the_rule_of_rounding(base: int, multiplier: float, cents: int) -> None:
    one = of_micros(0, 1_000_000, base, 10**12)
    assert quote(one, multiplier) == cents * CENT


def test_bounds_that_are_no_whole_cents() -> None:
    one = of_micros(0, 10_004_000, 10_020_000, 10_039_999)
    assert quote(one, 0.5) == 10_010_000, "the first whole cent from the floor on"
    assert quote(one, 2.0) == 10_030_000, "the last whole cent up to the ceiling"
    tight = of_micros(0, 10_001_000, 10_002_000, 10_003_000)
    assert {quote(tight, by) for by in (0.1, 1.0, 9.0)} == {10_002_000}, "no cent between them"
