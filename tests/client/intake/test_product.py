# SPDX-License-Identifier: Apache-2.0
"""Rows become products with names that are ours."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bls.guard.categories import CATEGORIES
from bls.request import ID_PATTERN, NAME_PATTERN
from client.intake.categories import category_of
from client.intake.faults import Fault, RowError
from client.intake.product import msg_id, slug
from tests.client.intake.conftest import product


def test_a_row_as_a_product() -> None:
    made = product(7)
    assert (made.msg_id, made.advertiser) == ("brightwater.7", "brightwater")
    assert (made.website, made.campaign_id) == ("brightwater.example", "brightwater.outdoors")
    assert made.line == 8


@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("Hooker Furniture", "hooker_furniture"),
        ("Macy's®", "macy_s"),
        ("Café Münster", "cafe_munster"),
        ("3M", "3m"),
        ("A" * 100, "a" * 64),
        ("_x_", "x"),
    ],
)
def test_slugs(name: str, made: str) -> None:
    assert slug(name) == made


@given(st.text(min_size=1, max_size=90))
def test_any_name_has_a_slug(name: str) -> None:
    assert re.fullmatch(NAME_PATTERN, slug(name.encode(errors="replace").decode()))


@given(st.text(max_size=150), st.text(min_size=1))
def test_any_row_has_a_name(number: str, content: str) -> None:
    clean = number.encode(errors="replace").decode(), content.encode(errors="replace").decode()
    made = msg_id("acme", clean[0], [clean[1]])
    assert re.fullmatch(ID_PATTERN, made) and made == msg_id("acme", clean[0], [clean[1]])
    assert made != msg_id("other", clean[0], [clean[1]])


def test_a_file_without_ids_names_by_content() -> None:
    one, again, other = (
        product(1, id=""),
        product(9, id="", title="Harbour Tent 1"),
        product(2, id=""),
    )
    assert one.msg_id == again.msg_id != other.msg_id
    assert product(1, id="a b").msg_id != product(1, id="a c").msg_id


def test_whose_it_is() -> None:
    assert product(brand="").advertiser == "brightwater_example", "the site where there is no brand"
    assert product(brand="Other").brand == "Other"


@pytest.mark.parametrize(
    ("cells", "fault"),
    [
        ({"title": "  <b></b> "}, Fault.NO_TITLE),
        ({"brand": "", "website": ""}, Fault.NO_ADVERTISER),
    ],
)
def test_rows_that_are_no_product(cells: dict[str, Any], fault: Fault) -> None:
    with pytest.raises(RowError) as caught:
        product(**cells)
    assert caught.value.fault is fault


@pytest.mark.parametrize(
    ("given", "title", "category"),
    [
        ("Apparel & Accessories > Shoes", "Any", "fashion"),
        ("5.0", "Puma Men's T-Shirt, Black", "fashion"),
        ("hotels", "A room", "hotels"),
        ("real estate", "A flat", "real_estate"),
        ("Gifts", "Single malt whisky, 70 cl", "alcohol"),
        ("Home", "Herbal detox tea for weight loss", "weight_loss"),
        ("Finance", "Payday loan in ten minutes", "payday_loans"),
        ("Toys & Games", "Casino roulette set", "gambling"),
        ("", "Something", "general"),
    ],
)
def test_categories(given: str, title: str, category: str) -> None:
    """What presses people is recognised whatever the file calls it."""
    assert category_of(given, title) == category


@given(st.text(max_size=40), st.text(max_size=40))
def test_a_category_is_one_of_the_guard_s(given: str, title: str) -> None:
    assert category_of(given, title, title) in CATEGORIES
