# SPDX-License-Identifier: Apache-2.0
"""Columns found by name."""

from __future__ import annotations

import pytest

from bls.errors import SkynetError
from client.intake.columns import find_columns

GEM = ("product_id", "ad_title", "ad_description", "website", "source", "brand", "cluster_category")


def test_the_header_of_the_public_product_ads() -> None:
    found = find_columns(GEM, {})
    assert found.named == {
        "id": "product_id",
        "title": "ad_title",
        "description": "ad_description",
        "brand": "brand",
        "seller": "source",
        "website": "website",
        "category": "cluster_category",
    }
    assert found.advertiser == ("brand", "source", "website")


def test_spelling_of_a_header_does_not_matter() -> None:
    found = find_columns(("Product Title", "Google-Product Category", "LINK"), {})
    assert found.named == {
        "title": "Product Title",
        "category": "Google-Product Category",
        "website": "LINK",
    }
    assert found.cell("brand", {}) == "", "a file need not have every column"


def test_what_is_given_counts_before_what_is_known() -> None:
    header = ("title", "ad_title", "shop", "owner")
    found = find_columns(header, {"title": "ad_title"}, "owner")
    assert found.named["title"] == "ad_title" and found.advertiser == ("owner",)
    used = find_columns(("title", "text"), {"title": "text"})
    assert used.named == {"title": "text"}, "one column is not two fields"


@pytest.mark.parametrize(
    ("given", "advertiser", "code"),
    [
        ({"colour": "title"}, None, "unknown_field"),
        ({"brand": "none"}, None, "no_column"),
        ({}, "none", "no_column"),
    ],
)
def test_names_that_are_not_there(given: dict[str, str], advertiser: str | None, code: str) -> None:
    with pytest.raises(SkynetError) as caught:
        find_columns(("title", "brand"), given, advertiser)
    assert caught.value.code == code


def test_a_file_without_titles() -> None:
    with pytest.raises(SkynetError, match="--map title="):
        find_columns(("id", "brand"), {})
