# SPDX-License-Identifier: Apache-2.0
"""Word rules: which words and phrases are refused. Time is linear in the text.

A rule is one line of a TOML file (`terms.toml` is the built-in one):

    fag             this word alone: "Fagin" is another word
    faggot*         any word that begins so
    go kill|hang yourself*    words in a row, with alternatives; no sentence end between
    . kill yourself           only where a sentence begins

Lines stand in groups; the group's name is the reason in logs.
"""

from __future__ import annotations

import re
import tomllib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated

from pydantic import Field, TypeAdapter, ValidationError

from bls.errors import SkynetError
from bls.policy.fold import fold
from bls.policy.forms import drawn_out, squeezed, with_letters
from bls.policy.match import Match
from bls.policy.words import Word, words
from bls.request import Name, Strict

BUILT_IN = Path(__file__).with_name("terms.toml")
_SENTENCE_END = re.compile(r"[.?!;:\"\n\u201c\u201d]")
_CACHED_WORDS = 8_192
_SHORTEST_BEGIN, _LONGEST_BEGIN = 3, 32


class TermGroup(Strict):
    """Rules that share a reason."""

    terms: Annotated[list[str], Field(min_length=1)]


_FILE = TypeAdapter(dict[Name, TermGroup])
Groups = Mapping[str, TermGroup]


@dataclass(frozen=True)
class _Piece:
    """One word of a rule: its spellings, and whether longer words count too."""

    spellings: frozenset[str]
    begins: tuple[str, ...]

    def matches(self, word: str) -> bool:
        return word in self.spellings or word.startswith(self.begins)


@dataclass(frozen=True)
class _Phrase:
    reason: str
    opens_sentence: bool
    pieces: tuple[_Piece, ...]


@dataclass(frozen=True)
class _Hit:
    reason: str
    whole: bool


class Terms:
    """All word rules of a filter."""

    def __init__(self, *files: Groups) -> None:
        self._exact: dict[str, str] = {}
        self._begins: dict[str, str] = {}
        self._phrases: dict[str, list[_Phrase]] = defaultdict(list)
        for groups in files:
            for reason, group in groups.items():
                for rule in group.terms:
                    self._add(reason, rule)
        self._squeezed_exact = {squeezed(word): why for word, why in self._exact.items()}
        self._squeezed_begins = {squeezed(word): why for word, why in self._begins.items()}
        self._hit = lru_cache(_CACHED_WORDS)(self._look_up)

    def _add(self, reason: str, rule: str) -> None:
        texts = rule.split()
        opens = texts[:1] == ["."]
        pieces = tuple(_piece(text) for text in texts[opens:])
        if not pieces:
            raise ValueError("an empty rule")
        first = pieces[0]
        if len(pieces) == 1 and not opens:
            self._exact |= dict.fromkeys(first.spellings, reason)
            self._begins |= dict.fromkeys(first.begins, reason)
            return
        if first.begins:
            raise ValueError(f"{rule!r}: only the later words of a phrase may end with *")
        for word in first.spellings:
            self._phrases[word].append(_Phrase(reason, opens, pieces))

    def words(self, parts: Sequence[Word]) -> Iterator[Match]:
        """Words that are refused by themselves."""
        for word in parts:
            if hit := self._hit(word.text):
                yield Match(hit.reason, word.start, word.end, hit.whole)

    def phrases(self, folded: str, parts: Sequence[Word]) -> Iterator[Match]:
        """Words in a row that are refused together."""
        for at, word in enumerate(parts):
            for phrase in self._phrases.get(word.text, ()):
                last = at + len(phrase.pieces) - 1
                if last < len(parts) and _fits(folded, parts, at, phrase):
                    end = parts[last]
                    whole = not end.text.startswith(phrase.pieces[-1].begins)
                    yield Match(phrase.reason, word.start, end.end, whole)

    def _look_up(self, word: str) -> _Hit | None:
        for form in (word, *with_letters(word)):
            if hit := _find(form, self._begins, self._exact):
                return hit
        if drawn_out(word):
            return _find(squeezed(word), self._squeezed_begins, self._squeezed_exact)
        return None


def _find(word: str, begins: Mapping[str, str], exact: Mapping[str, str]) -> _Hit | None:
    for size in range(_SHORTEST_BEGIN, min(len(word), _LONGEST_BEGIN) + 1):
        if reason := begins.get(word[:size]):
            return _Hit(reason, whole=False)
    return _Hit(exact[word], whole=True) if word in exact else None


def _fits(folded: str, parts: Sequence[Word], at: int, phrase: _Phrase) -> bool:
    if phrase.opens_sentence and not _opens_sentence(folded, parts, at):
        return False
    for offset, piece in enumerate(phrase.pieces):
        word = parts[at + offset]
        if not piece.matches(word.text):
            return False
        if offset and _SENTENCE_END.search(folded, parts[at + offset - 1].end, word.start):
            return False
    return True


def _opens_sentence(folded: str, parts: Sequence[Word], at: int) -> bool:
    before = parts[at - 1].end if at else 0
    return before == 0 or bool(_SENTENCE_END.search(folded, before, parts[at].start))


def _piece(text: str) -> _Piece:
    spellings, begins = set(), []
    for alternative in text.split("|"):
        word = fold(alternative.removesuffix("*"))
        if [part.text for part in words(word)] != [word]:
            raise ValueError(f"{alternative!r} is not a word")
        if alternative.endswith("*"):
            if not _SHORTEST_BEGIN <= len(word) <= _LONGEST_BEGIN:
                raise ValueError(f"{alternative!r} has fewer letters than 3, or more than 32")
            begins.append(word)
        else:
            spellings.add(word)
    return _Piece(frozenset(spellings), tuple(begins))


def load_terms(path: str = "") -> Terms:
    """The built-in rules and those of an operator's file. Raises `bad_policy_rules`."""
    files = [_read(BUILT_IN), *([_read(Path(path))] if path else [])]
    try:
        return Terms(*files)
    except ValueError as error:
        raise _bad(f"Policy rules: {error}.") from None


def _read(file: Path) -> Groups:
    try:
        return _FILE.validate_python(tomllib.loads(file.read_text(encoding="utf-8")))
    except OSError:
        raise _bad("The policy rules cannot be read.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise _bad(f"The policy rules are not TOML: {error}.") from None
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors()[0]["loc"])
        raise _bad(f"Policy rules, {where}: {error.errors()[0]['msg']}.") from None


def _bad(message: str) -> SkynetError:
    return SkynetError("bad_policy_rules", message, 500)
