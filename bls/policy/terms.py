# SPDX-License-Identifier: Apache-2.0
"""All word rules of a filter, looked up by word: time is linear in the text."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from bls.policy.forms import drawn_out, squeezed, with_letters
from bls.policy.match import Match
from bls.policy.rule import LONGEST_BEGIN, SHORTEST_BEGIN, Rule
from bls.policy.words import Word

SENTENCE_END = re.compile(r"[.?!;:\"\n\u201c\u201d]")
_CACHED_WORDS = 8_192


class _Hit(NamedTuple):
    reason: str
    whole: bool


class _Table:
    """Reasons by word, and by beginning of a word."""

    def __init__(self, exact: Mapping[str, str], begins: Mapping[str, str]) -> None:
        self._exact, self._begins = exact, begins

    def find(self, word: str) -> _Hit | None:
        """A beginning counts before the whole word: it needs no end of word to be sure."""
        for size in range(SHORTEST_BEGIN, min(len(word), LONGEST_BEGIN) + 1):
            if reason := self._begins.get(word[:size]):
                return _Hit(reason, whole=False)
        return _Hit(self._exact[word], whole=True) if word in self._exact else None


class Terms:
    """Refused words and phrases; safe to share between threads."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        exact: dict[str, str] = {}
        begins: dict[str, str] = {}
        self._phrases: dict[str, list[Rule]] = defaultdict(list)
        for rule in rules:
            first = rule.pieces[0]
            if rule.one_word:
                exact |= dict.fromkeys(first.spellings, rule.reason)
                begins |= dict.fromkeys(first.begins, rule.reason)
                continue
            for word in first.spellings:
                self._phrases[word].append(rule)
        self._plain = _Table(exact, begins)
        self._squeezed = _Table(_squeeze(exact), _squeeze(begins))
        self._hit = lru_cache(_CACHED_WORDS)(self._look_up)

    def in_words(self, parts: Iterable[Word]) -> Iterator[Match]:
        """Words that are refused by themselves."""
        for word in parts:
            if hit := self._hit(word.text):
                yield Match(hit.reason, word.start, word.end, hit.whole)

    def in_phrases(self, folded: str, parts: Sequence[Word]) -> Iterator[Match]:
        """Words in a row that are refused together."""
        for at, word in enumerate(parts):
            for rule in self._phrases.get(word.text, ()):
                row = parts[at : at + len(rule.pieces)]
                if _fits(rule, folded, row) and _begins_well(rule, folded, parts, at):
                    whole = not row[-1].text.startswith(rule.pieces[-1].begins)
                    yield Match(rule.reason, word.start, row[-1].end, whole)

    def _look_up(self, word: str) -> _Hit | None:
        for form in (word, *with_letters(word)):
            if hit := self._plain.find(form):
                return hit
        return self._squeezed.find(squeezed(word)) if drawn_out(word) else None


def _squeeze(reasons: Mapping[str, str]) -> dict[str, str]:
    return {squeezed(word): reason for word, reason in reasons.items()}


def _fits(rule: Rule, folded: str, row: Sequence[Word]) -> bool:
    """Every word fits its piece, and they are of one sentence."""
    if len(row) < len(rule.pieces):
        return False
    if not all(piece.matches(word.text) for piece, word in zip(rule.pieces, row, strict=True)):
        return False
    gaps = pairwise(row)
    return not any(SENTENCE_END.search(folded, left.end, right.start) for left, right in gaps)


def _begins_well(rule: Rule, folded: str, parts: Sequence[Word], at: int) -> bool:
    """A rule for the beginning of a sentence stands at one."""
    if not rule.opens_sentence or not at:
        return True
    return bool(SENTENCE_END.search(folded, parts[at - 1].end, parts[at].start))
