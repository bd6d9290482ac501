# SPDX-License-Identifier: Apache-2.0
"""Words, and words taken apart; each with its place in the text."""

from __future__ import annotations

import pytest

from bls.policy.forms import drawn_out, squeezed, with_letters
from bls.policy.words import joined, with_symbol_letters, words


def test_words_have_their_places() -> None:
    text = "call 2 cafes, now"
    assert [text[word.start : word.end] for word in words(text)] == ["call", "2", "cafes", "now"]
    assert [word.text for word in words(text)] == ["call", "2", "cafes", "now"]


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("f.oo", ["foo"]),
        ("f o o", ["foo"]),
        ("f - o - o", ["foo"]),
        ("fo-o b/ar", ["foo", "bar"]),
        ("1 @ 5%. f o o", ["foo"]),
        ("a f o o", ["afoo", "foo"]),
        ("f(o, o)", []),
        ("i-pod", ["ipod"]),
        ("foo bar", []),
        ("a b", []),
        ("ad-hoc", ["adhoc"]),
    ],
)
def test_put_together_again(text: str, whole: list[str]) -> None:
    found = joined(text)
    assert [word.text for word in found] == whole
    assert all(text[word.end - 1] == word.text[-1] for word in found)


@pytest.mark.parametrize(
    ("text", "lettered"),
    [
        ("f@t", "fat"),
        ("cl@$$", "cl@$$"),
        ("cl@$$y", "classy"),
        ("@ll", "all"),
        ("$29", "$29"),
        ("hi! you", "hi! you"),
        ("b!g", "big"),
    ],
)
def test_symbols_inside_words_are_letters(text: str, lettered: str) -> None:
    assert with_symbol_letters(text) == lettered


def test_digits_are_letters_only_among_letters() -> None:
    assert list(with_letters("l33t")) == ["leet", "leet"]
    assert list(with_letters("f1x")) == ["fix", "flx"]
    assert list(with_letters("1337")) == list(with_letters("leet")) == []


def test_drawn_out_letters() -> None:
    assert drawn_out("coool") and not drawn_out("cool")
    assert squeezed("nooope") == "nope"
