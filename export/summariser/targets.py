# SPDX-License-Identifier: Apache-2.0
"""What a summary of a window should keep: at most 32 of its 64 tokens, whole words in their order.

Nobody has written summaries of these chats, so a target is made of what the chat itself tells. A
word is worth its rarity (IDF over dialogues), more when it is a name, a number or a date, and more
again when it is said again after the window: what the chat comes back to is what the window was
about. Only a target may look ahead; a model has to learn it from the window alone. Words said twice
count once. What room is left goes to the small words that join two kept ones.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bls.condense.spelling import Spelling, Unit, content_words
from bls.contracts import SUMMARY_TOKENS, SUMMARY_WINDOW

_NAME, _AGAIN, _SMALL, _QUESTION = 1.5, 4.0, 0.05, 1.0


@dataclass(frozen=True)
class Rarity:
    """IDF of words over the training dialogues; a word that was never seen has the highest."""

    idf: Mapping[str, float]
    most: float

    @classmethod
    def of(cls, texts: Iterable[str]) -> Rarity:
        seen: Counter[str] = Counter()
        count = 0
        for text in texts:
            count += 1
            seen.update(set(content_words(text)))
        idf = {word: math.log((1 + count) / (1 + n)) for word, n in seen.items()}
        return cls(idf, math.log(1 + count))

    def __call__(self, word: str) -> float:
        return self.idf.get(word, self.most)


class TargetMaker:
    """Targets of windows; `ahead` False leaves out what the window cannot know."""

    def __init__(self, spelling: Spelling, rarity: Rarity, ahead: bool = True) -> None:
        self._spelling, self._rarity, self._ahead = spelling, rarity, ahead

    def keep(self, ids: Sequence[int], after: str = "") -> NDArray[np.bool_]:
        """Which tokens of a window to keep, bool [len(ids)], at most 32 of them."""
        units = self._spelling.units(ids)
        again = set(content_words(after)) if self._ahead else set()
        values = self._values(ids, units, again)
        chosen = pack(units, values, SUMMARY_TOKENS)
        keep = np.zeros(len(ids), np.bool_)
        for unit in chosen:
            keep[unit.start : unit.end] = True
        return keep

    def _values(self, ids: Sequence[int], units: Sequence[Unit], again: set[str]) -> list[float]:
        values, said = [], set()
        for unit in units:
            text = "".join(self._spelling.texts[token] for token in ids[unit.start : unit.end])
            value = _SMALL
            if unit.content:
                first = unit.letters not in said
                said.add(unit.letters)
                name = text.strip()[:1].isupper() or any(c.isdigit() for c in text)
                known = bool(again.intersection(content_words(text)))
                value = self._rarity(unit.letters) + _NAME * name + _AGAIN * known
                value = value if first else 2 * _SMALL
            elif "?" in text:
                value = _QUESTION
            values.append(value)
        return values


def pack(units: Sequence[Unit], values: Sequence[float], room: int) -> list[Unit]:
    """Units of the highest value that fit into `room` tokens, in their order.

    Long ones are ranked by value / sqrt(tokens): a telephone number is worth its digits. Among the
    small ones, those between two kept units go first: they join them.
    """
    length = [unit.end - unit.start for unit in units]
    rank = sorted(range(len(units)), key=lambda i: (-values[i] / math.sqrt(length[i]), i))
    kept: set[int] = set()
    for i in (i for i in rank if values[i] > 2 * _SMALL):
        if length[i] <= room:
            kept.add(i)
            room -= length[i]
    rest = [i for i in range(len(units)) if i not in kept]
    for i in sorted(rest, key=lambda i: (-((i - 1 in kept) + (i + 1 in kept)), i)):
        if length[i] <= room and units[i].letters:
            kept.add(i)
            room -= length[i]
    return [units[i] for i in sorted(kept)]


def all_targets(
    maker: TargetMaker, windows: Sequence[tuple[list[int], str]]
) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
    """Of windows with what follows them, as `stacked`."""
    keeps = [maker.keep(window, after) for window, after in windows]
    return stacked([window for window, _ in windows], keeps)


def stacked(
    windows: Sequence[Sequence[int]], keeps: Sequence[NDArray[np.bool_]]
) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
    """IDS int32 [n, 64], -1 where there is none, and KEEP bool [n, 64]."""
    ids = np.full((len(windows), SUMMARY_WINDOW), -1, np.int32)
    kept = np.zeros((len(windows), SUMMARY_WINDOW), np.bool_)
    for at, (window, keep) in enumerate(zip(windows, keeps, strict=True)):
        ids[at, : len(window)] = window
        kept[at, : len(window)] = keep
    return ids, kept
