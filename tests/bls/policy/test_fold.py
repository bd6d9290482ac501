# SPDX-License-Identifier: Apache-2.0
"""Folding brings one word out of many spellings, character by character, in linear time."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bls.policy.fold import fold

SPELLINGS = {
    "capitals": "FAGGOT",
    "full width": "ｆａｇｇｏｔ",
    "mathematical": "𝓯𝓪𝓰𝓰𝓸𝓽",
    "circled": "ⓕⓐⓖⓖⓞⓣ",
    "squared": "🅵🅰🅶🅶🅾🆃",
    "small capitals": "ꜰᴀɢɢᴏᴛ",
    "accents": "fáģğöt",
    "stacked marks": "f\u0301\u0316a\u0335ggo\u0308t",
    "Cyrillic letters": "fаggоt",
    "Greek letters": "fαggοτ",
    "zero width": "fa\u200bg\u2060g\u200dot\ufeff",
    "soft hyphen": "fag\u00adgot",
    "turned round": "\u202efaggot\u202c",
    "Markdown": "**fag**_got_",
    "apostrophes": "fag'g\u2019ot",
}


@pytest.mark.parametrize("text", SPELLINGS.values(), ids=SPELLINGS)
def test_one_word_out_of_many_spellings(text: str) -> None:
    assert fold(text) == "faggot"


@pytest.mark.parametrize(
    ("text", "folded"),
    [("５\u0663৪", "534"), ("a\u2013b\u2212c\u2011d", "a-b-c-d"), ("a\u00a0b\u3000c", "a b c")],
)
def test_digits_dashes_and_spaces(text: str, folded: str) -> None:
    assert fold(text) == folded


@given(st.text(max_size=40), st.text(max_size=40))
def test_a_text_folds_as_its_parts_do(left: str, right: str) -> None:
    assert fold(left + right) == fold(left) + fold(right)


def test_a_heap_of_marks_costs_no_more_than_letters() -> None:
    """Normalising would sort them: 3 s for this one."""
    began = time.perf_counter()
    assert fold("a" + "\u0301\u0316" * 30_000) == "a"
    assert time.perf_counter() - began < 0.5
