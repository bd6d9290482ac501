# SPDX-License-Identifier: Apache-2.0
"""Which tokens make up one word, and which words carry a meaning of their own."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

_STOP = """
a about after all also am an and any anything are as at be been but by can could d did do does
doing done else for from get go going got had has have he help her here him his how i if in into is
it its just know let like ll m may me more my need no not now of off ok okay on one or our out over
please re s shall she should so some something sure t than thank thanks that the their them then
there these they this to too system u um up us user assistant ve very want was way we well were
what when where which who will with would yes you your
"""
STOP_WORDS = frozenset(_STOP.split())
_WORD = re.compile(r"[^\W_]+")


def content_words(text: str) -> list[str]:
    """Lower-case words of a text that are not stop words."""
    return [word for word in _WORD.findall(text.lower()) if word not in STOP_WORDS]


class Unit(NamedTuple):
    """A word as it is written, `ids[start:end]`: "11:30", "Saint"; or a mark that ends one.

    The space or line break before a word is part of it. `letters`: its letters and digits, lower
    case; "" for a mark.
    """

    start: int
    end: int
    letters: str

    @property
    def content(self) -> bool:
        return bool(self.letters) and self.letters not in STOP_WORDS


@dataclass(frozen=True)
class Spelling:
    """A tokenizer's vocabulary by id: bool [V] each, and the text of every token.

    Attributes:
        space: it begins with white space.
        mark: it has no letters, digits or white space.
    """

    space: NDArray[np.bool_]
    mark: NDArray[np.bool_]
    texts: tuple[str, ...]

    @classmethod
    def of(cls, tokenizer: Tokenizer) -> Spelling:
        ids = [[token] for token in range(tokenizer.get_vocab_size())]
        texts = tokenizer.decode_batch(ids, skip_special_tokens=False)
        return cls(
            np.array([text[:1].isspace() for text in texts]),
            np.array([not any(c.isalnum() or c.isspace() for c in text) for text in texts]),
            tuple(texts),
        )

    def units(self, ids: Sequence[int]) -> list[Unit]:
        """The words of `ids`, in order; together they are all of it."""
        starts = [at for at in range(len(ids)) if self._opens(ids, at)]
        pairs = pairwise([*starts, len(ids)])
        return [Unit(a, b, self._letters(ids[a:b])) for a, b in pairs]

    def _opens(self, ids: Sequence[int], at: int) -> bool:
        if at == 0 or self.space[ids[at]]:
            return True
        last = at + 1 == len(ids) or bool(self.space[ids[at + 1]])
        return last and bool(self.mark[ids[at]])

    def _letters(self, ids: Sequence[int]) -> str:
        text = "".join(self.texts[token] for token in ids)
        return "".join(_WORD.findall(text.lower()))
