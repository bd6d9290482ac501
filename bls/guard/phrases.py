# SPDX-License-Identifier: Apache-2.0
"""Phrase rules that see through little words, contractions and words written without spaces.

`ignore previous instructions` also finds "ignore all of your previous instructions": words that
carry no meaning here are left out of rules and texts alike. Built on the output filter's rules.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice, product
from pathlib import Path

from bls.policy.fold import fold
from bls.policy.rule import Piece, Rule
from bls.policy.rule_file import read_rules
from bls.policy.terms import SENTENCE_END, Terms
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
_SKELETON_LEAST = 11
_DENSE_MOST_SPELLINGS = 12_000
_NO_CONSONANT = re.compile(r"[\W_aeiou]+")
_LEET = str.maketrans("013456789", "oieasgtbg")


def prepared(text: str) -> str:
    """Folded text with `can not`, `do not`, ... as one word each."""
    return _NOT.sub(lambda match: _NOT_TO.get(match[1], f"{match[1]}nt"), fold(text))


class Phrases:
    """The rules of some files; safe to share between threads."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        written = list(rules)
        short = [rule for rule in map(_short, written) if rule.pieces]
        self._terms = Terms(rule for rule in short if rule.one_word)
        self._rows: dict[str, list[Rule]] = defaultdict(list)
        self._dense: dict[str, list[tuple[str, str]]] = defaultdict(list)
        for rule in short:
            for word in rule.pieces[0].spellings if not rule.one_word else ():
                self._rows[word].append(rule)
        for rule in (*written, *short):
            for text in _dense(rule):
                self._dense[text[:_SKELETON_LEAST]].append((text, rule.reason))
        spelled = {word for rule in written for piece in rule.pieces for word in piece.spellings}
        longer = sorted(word for word in spelled - _LITTLE if len(word) > 2)
        self._repairs = {_sorted(word): word for word in longer}
        self._known = spelled | _LITTLE | set(_SAME)

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
        yield from self._in_rows(folded, told)
        mended = [self._mended(word) for word in told]
        if mended != told:
            yield from self._in_rows(folded, mended)
        if len(told) < len(parts):
            yield from self.dense_reasons("".join(word.text for word in told))

    def dense_reasons(self, folded: str) -> Iterator[str]:
        """Of long phrases whose consonants are all there in a row, however the spaces lie and
        whatever stands for the vowels."""
        letters = _NO_CONSONANT.sub("", folded.translate(_LEET))
        for at in range(len(letters) - _SKELETON_LEAST + 1):
            for text, reason in self._dense.get(letters[at : at + _SKELETON_LEAST], ()):
                if letters.startswith(text, at):
                    yield reason

    def _in_rows(self, folded: str, told: Sequence[Word]) -> Iterator[str]:
        """Words in a row, in one sentence; the second word is looked at first: it seldom fits."""
        for at in range(len(told) - 1):
            following = told[at + 1].text
            for rule in self._rows.get(told[at].text, ()):
                if rule.pieces[1].matches(following) and _fits(rule, folded, told, at):
                    yield rule.reason

    def _mended(self, word: Word) -> Word:
        """A word of some rule whose letters stand in another order, backwards say."""
        if word.text in self._known:
            return word
        return word._replace(text=self._repairs.get(_sorted(word.text), word.text))


def _fits(rule: Rule, folded: str, told: Sequence[Word], at: int) -> bool:
    row = told[at : at + len(rule.pieces)]
    if len(row) < len(rule.pieces):
        return False
    if not all(piece.matches(word.text) for piece, word in zip(rule.pieces, row, strict=True)):
        return False
    return SENTENCE_END.search(folded, row[0].end, row[-1].start) is None


def _sorted(word: str) -> str:
    return "".join(sorted(word))


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
    """Consonants of some ways of writing a phrase, if there are enough to mean nothing else."""
    if len(rule.pieces) < 2 or any(piece.begins for piece in rule.pieces):
        return
    spelled = product(*(sorted(piece.spellings) for piece in rule.pieces))
    for row in islice(spelled, _DENSE_MOST_SPELLINGS):
        text = "".join(row)
        skeleton = _NO_CONSONANT.sub("", text)
        if len(text) >= _DENSE_LEAST and len(skeleton) >= _SKELETON_LEAST:
            yield skeleton
