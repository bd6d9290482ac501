# SPDX-License-Identifier: Apache-2.0
"""One word rule, as it stands on a line of a rules file.

fag                     this word alone: "Fagin" is another word
faggot*                 every word that begins so
go kill|hang yourself   words in a row, with alternatives; no sentence ends between them
. kill yourself         only where a sentence begins
"""

from __future__ import annotations

from dataclasses import dataclass

from bls.policy.fold import fold
from bls.policy.words import words

SHORTEST_BEGIN, LONGEST_BEGIN = 3, 32


@dataclass(frozen=True)
class Piece:
    """One word of a rule: its spellings, and beginnings that make any longer word count."""

    spellings: frozenset[str]
    begins: tuple[str, ...]

    def matches(self, word: str) -> bool:
        """Whether a folded word fits here."""
        return word in self.spellings or word.startswith(self.begins)


@dataclass(frozen=True)
class Rule:
    """Words that are refused together, for a reason; one word if it is refused by itself."""

    reason: str
    opens_sentence: bool
    pieces: tuple[Piece, ...]

    @property
    def one_word(self) -> bool:
        return len(self.pieces) == 1 and not self.opens_sentence


def parse_rule(reason: str, text: str) -> Rule:
    """Raises `ValueError` saying what is wrong with the line."""
    parts = text.split()
    opens_sentence = parts[:1] == ["."]
    pieces = tuple(_piece(part) for part in parts[opens_sentence:])
    if not pieces:
        raise ValueError("an empty rule")
    rule = Rule(reason, opens_sentence, pieces)
    if pieces[0].begins and not rule.one_word:
        raise ValueError(f"{text!r}: the first word of a phrase cannot end with *")
    return rule


def _piece(text: str) -> Piece:
    spellings, begins = set(), []
    for alternative in text.split("|"):
        word = fold(alternative.removesuffix("*"))
        if [part.text for part in words(word)] != [word]:
            raise ValueError(f"{alternative!r} is not a word")
        if not alternative.endswith("*"):
            spellings.add(word)
        elif SHORTEST_BEGIN <= len(word) <= LONGEST_BEGIN:
            begins.append(word)
        else:
            raise ValueError(
                f"{alternative!r}: expected {SHORTEST_BEGIN} to {LONGEST_BEGIN} letters before *"
            )
    return Piece(frozenset(spellings), tuple(begins))
