# SPDX-License-Identifier: Apache-2.0
"""The two shipped catalogues: enough items, their own words, bounds that prices fit in."""

from __future__ import annotations

import re

import pytest

from bls.phantom.session import MODES, Mode
from bls.phantom.shop import catalogue
from bls.request import ID_PATTERN
from client.storefront.modes import WORDS, options

pytestmark = pytest.mark.spec("PH-06")


@pytest.mark.parametrize("mode", MODES)
def test_enough_items_in_their_own_words(mode: Mode) -> None:
    items = catalogue(mode).items
    assert len(items) >= 64
    assert all(re.fullmatch(ID_PATTERN, name) for name in items)
    texts = [item.text for item in items.values()]
    titles = [item.title for item in items.values()]
    assert len(set(texts)) == len(texts) and len(set(titles)) == len(titles)
    openings = {" ".join(text.split()[:3]) for text in texts}
    assert len(openings) > 0.9 * len(texts)  # no template


@pytest.mark.parametrize("mode", MODES)
def test_floors_and_ceilings_leave_prices_room(mode: Mode) -> None:
    for item in catalogue(mode).items.values():
        assert item.cost_micros < item.floor_micros < item.base_micros < item.ceiling_micros
        assert item.floor_micros >= 0.75 * item.base_micros
        assert item.ceiling_micros <= 1.3 * item.base_micros
        assert item.base_micros % 10_000 == 0, "whole cents"
    bases = sorted(item.base_micros for item in catalogue(mode).items.values())
    assert bases[-1] > 10 * bases[0]


@pytest.mark.parametrize("mode", MODES)
def test_every_filter_divides_and_every_item_has_its_facts(mode: Mode) -> None:
    items, words = list(catalogue(mode).items.values()), WORDS[mode]
    for facet in words.filters:
        assert 2 <= len(options(items, facet)) <= 20
        assert all(facet in item.facets for item in items)
    for item in items:
        assert words.facts(item).count(" · ") >= 4
        assert item.dates[0] < item.dates[1]
