# SPDX-License-Identifier: Apache-2.0
"""What no classifier is asked: injections and pressure in ads, users in trouble, plain maths.

Every text is read twice, folded and in its normal form, so that a rule need not spell out how it
may be written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cache

from bls.contracts import Use, Verdict
from bls.guard.control import has_control
from bls.guard.maths import has_sum
from bls.guard.normal import normal
from bls.guard.phrases import Phrases, prepared
from bls.guard.promises import promise
from bls.guard.ruling import Ruling
from bls.policy.match import Match
from bls.policy.rule_file import load_terms
from bls.policy.terms import Terms
from bls.policy.words import joined, with_symbol_letters, words

TOXIC = "toxic"
_USER_ORDER = (
    "self_harm", "crisis", "despair", TOXIC, "medical", "minors", "maths", "addiction",
    "money_trouble", "distress",
)  # fmt: skip
"""Of several reasons the first one counts: first what the most depends on."""
_DESPAIR = frozenset({"distress", "money_trouble", "addiction"})


class GuardRules:
    """All built-in rules; holds no state, safe to share between threads."""

    def __init__(self) -> None:
        """Raises `bad_policy_rules`."""
        self._abuse = load_terms()
        self._user, self._ads = Phrases.of("user"), Phrases.of("ads")
        self._of: dict[Use, Callable[[str, str], Ruling]] = {
            Use.USER: self._of_user,
            Use.AD: self._of_ad,
            Use.REPLY: self._of_reply,
        }

    def judge(self, text: str, use: Use) -> Ruling:
        """OK where no rule fits."""
        return self._of[use](text, normal(text))

    def _of_user(self, text: str, plain: str) -> Ruling:
        found = set(_reasons(self._user, text, plain))
        if has_sum(text):
            found.add("maths")
        if len(found & _DESPAIR) > 1:
            found.add("despair")
        if next(_abuse(self._abuse, text, plain), None):
            found.add(TOXIC)
        for reason in _USER_ORDER:
            if reason in found:
                return Ruling(Verdict.FLAGGED if reason == TOXIC else Verdict.NO_AD, reason)
        return Ruling()

    def _of_ad(self, text: str, plain: str) -> Ruling:
        reason = (
            ("injection" if has_control(text) else None)
            or next(_reasons(self._ads, text, plain), None)
            or promise(plain)
            or next(_abuse(self._abuse, text, plain), None)
        )
        return Ruling(Verdict.BLOCKED, reason) if reason else Ruling()

    def _of_reply(self, text: str, plain: str) -> Ruling:
        reason = next(_abuse(self._abuse, text, plain), None)
        return Ruling(Verdict.BLOCKED, reason) if reason else Ruling()


@cache
def built_in_rules() -> GuardRules:
    """One for the process. Raises `bad_policy_rules`."""
    return GuardRules()


def _reasons(phrases: Phrases, text: str, plain: str) -> Iterator[str]:
    for folded in _distinct(prepared(text), prepared(plain)):
        yield from phrases.reasons(folded)
    yield from phrases.dense_reasons(plain)


def _abuse(terms: Terms, text: str, plain: str) -> Iterator[str]:
    """Reasons of the output filter's word list: slurs, profanity, threats, incitement."""
    folded = prepared(text)
    for one in _distinct(folded, with_symbol_letters(folded), plain):
        yield from (match.reason for match in _in_words(terms, one))


def _in_words(terms: Terms, folded: str) -> Iterator[Match]:
    parts = words(folded)
    yield from terms.in_words(parts)
    yield from terms.in_words(joined(folded))
    yield from terms.in_phrases(folded, parts)


def _distinct(*texts: str) -> Sequence[str]:
    """Without those that differ in spaces alone."""
    return tuple({" ".join(text.split()): text for text in reversed(texts)}.values())
