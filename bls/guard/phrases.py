# SPDX-License-Identifier: Apache-2.0
"""Phrase rules that see through little words, contractions and words written without spaces.

`ignore previous instructions` also finds "ignore all of your previous instructions": words that
carry no meaning here are left out of rules and texts alike. Built on the output filter's rules.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice, product
from pathlib import Path

from bls.policy.fold import fold
from bls.policy.rule import Piece, Rule
from bls.policy.rule_file import read_rules
from bls.policy.terms import Terms
from bls.policy.words import Word, joined, words

FOLDER = Path(__file__).with_name("terms")

_LITTLE = frozenset(
    {"a", "am", "an", "the", "my", "your", "his", "her", "our", "their", "all", "any", "of", "to"}
    | {"that", "this", "these", "those", "really", "just", "so", "very", "please", "even", "again"}
    | {"actually", "literally", "kinda", "simply", "also", "such", "quite", "totally"}
)
_SAME = {"im": "i", "ive": "i", "ill": "i", "id": "i", "youve": "you", "youll": "you"}
_NOT = re.compile(r"\b(ca|can|do|does|did|is|are|was|would|wo|could|should) ?n['\u2019o]?t\b")
_NOT_TO = {"can": "cant", "ca": "cant", "wo": "wont"}
_DENSE_LEAST = 14
_DENSE_MOST_SPELLINGS = 400
_NO_LETTER = re.compile(r"[\W_]+")


def prepared(text: str) -> str:
    """Folded text with `can not`, `do not`, ... as one word each."""
    return _NOT.sub(lambda match: _NOT_TO.get(match[1], f"{match[1]}nt"), fold(text))


class Phrases:
    """The rules of some files; safe to share between threads."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        written = list(rules)
        self._terms = Terms(short for rule in written if (short := _short(rule)).pieces)
        self._dense: dict[str, list[tuple[str, str]]] = defaultdict(list)
        for rule in written:
            for text in _dense(rule):
                self._dense[text[:_DENSE_LEAST]].append((text, rule.reason))

    @classmethod
    def of(cls, *files: str) -> Phrases:
        """The built-in files of these names. Raises `bad_policy_rules`."""
        return cls(rule for name in files for rule in read_rules(FOLDER / f"{name}.toml"))

    def reasons(self, folded: str) -> Iterator[str]:
        """Of every rule that fits somewhere in a text from `prepared`; may repeat."""
        parts = words(folded)
        told = [one for part in parts if (one := _same(part)).text not in _LITTLE]
        yield from (match.reason for match in self._terms.in_words(parts))
        yield from (match.reason for match in self._terms.in_words(joined(folded)))
        yield from (match.reason for match in self._terms.in_phrases(folded, told))

    def dense_reasons(self, folded: str) -> Iterator[str]:
        """Of long phrases whose letters are all there in a row, however the spaces lie."""
        letters = _NO_LETTER.sub("", folded)
        for at in range(len(letters) - _DENSE_LEAST + 1):
            for text, reason in self._dense.get(letters[at : at + _DENSE_LEAST], ()):
                if letters.startswith(text, at):
                    yield reason


def _same(word: Word) -> Word:
    return word._replace(text=_SAME[word.text]) if word.text in _SAME else word


def _short(rule: Rule) -> Rule:
    """The rule as texts are read: without little words, contractions as one word."""
    pieces = []
    for piece in rule.pieces:
        spellings = frozenset(_SAME.get(word, word) for word in piece.spellings) - _LITTLE
        if spellings or piece.begins:
            pieces.append(Piece(spellings, piece.begins))
    return replace(rule, pieces=tuple(pieces))


def _dense(rule: Rule) -> Iterator[str]:
    """Some ways of writing a phrase in one piece, if that is long enough to mean nothing else."""
    if len(rule.pieces) < 2 or any(piece.begins for piece in rule.pieces):
        return
    spelled = product(*(sorted(piece.spellings) for piece in rule.pieces))
    for row in islice(spelled, _DENSE_MOST_SPELLINGS):
        text = "".join(row)
        if len(text) >= _DENSE_LEAST:
            yield text
