# SPDX-License-Identifier: Apache-2.0
"""Words of folded text, and words that were taken apart: `f.o.o`, `f o o`, `foo-bar`, `f@o`.

Every pattern starts at the beginning of a word and never goes back over it: linear time.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_WORD = re.compile(r"[^\W_]+")
_LINKED = re.compile(r"(?<![^\W_])(?:[^\W_]+[-./|\u00b7])+[^\W_]+")
_SPREAD = re.compile(r"(?<![^\W_])[^\W_](?=(\W{1,3}))(?:\1[^\W_](?![^\W_])){2,40}")
_FEWEST = 3
_NO_LETTER = re.compile(r"[\W_]+")
_SYMBOLS = "@$!|"
_SYMBOL_LETTERS = re.compile(r"(?<=[^\W_])[@$!|]+(?=[^\W_])|(?<!\S)[@$]+(?=[^\W\d_])")
_AS_LETTERS = str.maketrans(_SYMBOLS, "asii")


class Word(NamedTuple):
    """Letters and digits, and where they lie in the folded text."""

    text: str
    start: int
    end: int


def words(folded: str) -> list[Word]:
    """Runs of letters and digits."""
    return [Word(match[0], match.start(), match.end()) for match in _WORD.finditer(folded)]


def joined(folded: str) -> list[Word]:
    """Words put together again that hyphens, dots or slashes split, or spaces letter by letter.

    Where spread letters begin to be a word cannot be seen: every three or more to the end are one.
    """
    found = []
    for match in _LINKED.finditer(folded):
        found.append(Word(_NO_LETTER.sub("", match[0]), match.start(), match.end()))
    for match in _SPREAD.finditer(folded):
        places = [at for at in range(*match.span()) if folded[at].isalnum()]
        word = "".join(folded[at] for at in places)
        for first, at in enumerate(places[: 1 - _FEWEST]):
            found.append(Word(word[first:], at, match.end()))
    return found


def closed_up(folded: str) -> str:
    """The text with words that were spread letter by letter in one piece."""
    return _SPREAD.sub(lambda match: _NO_LETTER.sub("", match[0]), folded)


def with_symbol_letters(folded: str) -> str:
    """The text with symbols that stand for letters inside words replaced; as long as it was."""
    if not any(symbol in folded for symbol in _SYMBOLS):
        return folded
    return _SYMBOL_LETTERS.sub(lambda match: match[0].translate(_AS_LETTERS), folded)
