# SPDX-License-Identifier: Apache-2.0
"""A text is judged as it grows: once, when a match is complete; open words are held back."""

from __future__ import annotations

import pytest

from bls.policy.filter import load_filter
from bls.policy.verdict import Verdict

FILTER = load_filter()


def grow(*pieces: str) -> list[Verdict]:
    """Verdicts after each piece, the last one final."""
    text, verdicts = "", []
    for count, piece in enumerate(pieces, 1):
        since, text = len(text), text + piece
        verdicts.append(FILTER.check(text, since, final=count == len(pieces)))
    return verdicts


def test_a_split_term_is_caught_by_the_piece_that_completes_it() -> None:
    reasons = [verdict.reason for verdict in grow("You ni", "gg", "er", " x")]
    assert reasons[:3] == ["", "", "slur"]


def test_a_whole_word_is_held_until_it_ends() -> None:
    first, second, third = grow("a fa", "g", ".")
    assert (first.held, second.held) == (0, len("fag"))
    assert third.reason == "slur" and third.taints_held


def test_it_may_go_on_innocently() -> None:
    assert [verdict.held for verdict in grow("Mr Fag", "in", " left")] == [3, 0, 0]
    assert all(verdict.safe for verdict in grow("The Paki", "stan", "i team"))


def test_the_end_of_the_text_ends_the_word() -> None:
    (only,) = grow("Dear Paki")
    assert only.reason == "slur"


def test_a_new_word_does_not_taint_what_is_held() -> None:
    first, second = grow("order 12345678", " faggot")
    assert first.held == 2
    assert second.reason == "slur" and not second.taints_held


def test_what_was_complete_before_is_settled() -> None:
    """A window that slides must not find a sentence's beginning where there was none."""
    assert FILTER.check("kill all Jews in Europe", since=20).safe
    assert not FILTER.check("kill all Jews in Europe").safe


@pytest.mark.parametrize("gap", [0, 100, 300])
def test_only_the_end_is_read(gap: int) -> None:
    text = "word " * gap + "you stupid bi"
    assert FILTER.check(text, len(text) - 2).safe
    assert FILTER.check(text + "tch ", len(text)).reason == "profanity"
