# SPDX-License-Identifier: Apache-2.0
"""The rules over one text: words, phrases, personal data. No model, a few dozen microseconds."""

from __future__ import annotations

from collections.abc import Iterator

from bls.policy.fold import fold
from bls.policy.match import Match
from bls.policy.personal import is_one_of, personal_data, unfinished
from bls.policy.terms import Terms
from bls.policy.verdict import Verdict
from bls.policy.words import joined, with_symbol_letters, words

_REACH = 160
"""No rule needs more characters before the new text than this."""
_NOBODY: frozenset[str] = frozenset()


class Rules:
    """All rules of a filter; holds no state of a reply."""

    def __init__(self, terms: Terms) -> None:
        self._terms = terms

    def check(
        self, text: str, since: int = 0, final: bool = False, allowed: frozenset[str] = _NOBODY
    ) -> Verdict:
        """Judge `text` by what `text[since:]` completes; what was complete before is settled.

        Args:
            final: nothing follows, so a word at the end has ended.
            allowed: contacts that may be said, from `personal.contacts`.
        """
        settled = max(0, since - _REACH)
        text, since = text[settled:], since - settled
        folded = fold(text)
        before = len(fold(text[:since]))
        open_word = False
        for match in self._matches(folded):
            if match.whole and match.end == len(folded) and not final:
                open_word = True
            elif _completed(match, before) and not is_one_of(match, allowed):
                return Verdict(match.reason, taints_held=match.start < before)
        held = max(unfinished(text), _last_word(text) if open_word else 0)
        return Verdict(held=0 if final else held)

    def _matches(self, folded: str) -> Iterator[Match]:
        yield from self._in_words(folded)
        lettered = with_symbol_letters(folded)
        if lettered != folded:
            yield from self._in_words(lettered)
        yield from personal_data(folded)

    def _in_words(self, folded: str) -> Iterator[Match]:
        parts = words(folded)
        yield from self._terms.in_words(parts)
        yield from self._terms.in_words(joined(folded))
        yield from self._terms.in_phrases(folded, parts)


def _completed(match: Match, before: int) -> bool:
    """A whole word is complete with the character after it, anything else with its last one."""
    return match.end >= before if match.whole else match.end > before


def _last_word(text: str) -> int:
    """Length of what follows the last space of a text that does not end with one."""
    return len(text.rsplit(maxsplit=1)[-1])
