# SPDX-License-Identifier: Apache-2.0
"""Which ads may not appear where."""

from __future__ import annotations

import re

import pytest

from bls.guard.categories import ALL, CATEGORIES, PRESSURING, REASONS, forbidden


def test_categories_are_snake_case_words() -> None:
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", name) for name in CATEGORIES)
    assert PRESSURING < CATEGORIES
    assert "general" in CATEGORIES - PRESSURING


@pytest.mark.parametrize("reason", ["self_harm", "crisis", "medical", "maths", "minors", "toxic"])
def test_some_contexts_carry_no_ad_at_all(reason: str) -> None:
    assert ALL in forbidden(reason)


@pytest.mark.parametrize("reason", ["distress", "money_trouble", "addiction"])
def test_loans_and_bets_stay_away_from_people_in_trouble(reason: str) -> None:
    gone = forbidden(reason)
    assert {"payday_loans", "gambling", "alcohol"} <= gone <= CATEGORIES
    assert "travel" not in gone


def test_nothing_is_forbidden_without_a_reason_and_all_for_an_unknown_one() -> None:
    assert not forbidden("")
    assert ALL in forbidden("a_new_reason")
    assert "" not in REASONS
