# SPDX-License-Identifier: Apache-2.0
"""Ways one word is written to slip past a list: digits for letters, letters drawn out."""

from __future__ import annotations

import re
from collections.abc import Iterator

_LEET = (str.maketrans("013456789", "oieasgtbg"), str.maketrans("013456789", "oleasgtbg"))
_REPEATED = re.compile(r"(.)\1+")
_DRAWN_OUT = re.compile(r"(.)\1\1")


def with_letters(word: str) -> Iterator[str]:
    """The word with its digits read as letters; nothing unless it has both."""
    if word.isalpha() or word.isdigit():
        return
    for table in _LEET:
        yield word.translate(table)


def drawn_out(word: str) -> bool:
    """A character occurs three times or more in a row, as in no English word."""
    return _DRAWN_OUT.search(word) is not None


def squeezed(word: str) -> str:
    """Every run of one character as a single one."""
    return _REPEATED.sub(r"\1", word)
