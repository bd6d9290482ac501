# SPDX-License-Identifier: Apache-2.0
"""Personal data in a reply, what of it may be said, and what may become it.

A match is complete with the last character it needs, also while more text may follow: an address
cannot become harmless again. All patterns have bounded repeats, so time is linear.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from bls.policy.accounts import cards, ibans
from bls.policy.emails import emails, unfinished_email
from bls.policy.fold import fold
from bls.policy.match import Match
from bls.policy.phones import numbers, phones

_DIGIT = re.compile(r"[0-9]")
_UNFINISHED_NUMBER = re.compile(r"\(?[0-9](?:[ ().-]{0,2}[0-9])*[ ().-]{0,2}\Z")
_TAIL = 100
_SHOWN_DIGITS = 6
_LONGEST_NUMBER = 34


def personal_data(folded: str) -> Iterator[Match]:
    """E-mail addresses, phone, card and account numbers in folded text."""
    yield from emails(folded)
    if _DIGIT.search(folded):
        yield from phones(folded)
        yield from cards(folded)
        yield from ibans(folded)


def contacts(texts: Iterable[str]) -> frozenset[str]:
    """E-mail addresses and phone numbers in texts that the reader or an advertiser wrote."""
    found: set[str] = set()
    for folded in map(fold, texts):
        found.update(match.value for match in emails(folded))
        found.update(numbers(folded))
    return frozenset(found)


def is_one_of(match: Match, allowed: frozenset[str]) -> bool:
    """Whether a match is one of the contacts: so far, or without its country code."""
    said = match.value
    if match.reason == "email":
        return any(contact.startswith(said) for contact in allowed)
    return match.reason == "phone" and any(
        contact.startswith(said) or contact.endswith(said) or said.endswith(contact)
        for contact in allowed
    )


def unfinished(text: str) -> int:
    """How many characters at the end of a text may become part of an address, or of a number worth
    hiding. The first six digits of a number do not count: they give nobody away."""
    tail = text[-_TAIL:]
    return unfinished_email(tail) or _unfinished_number(tail)


def _unfinished_number(tail: str) -> int:
    number = _UNFINISHED_NUMBER.search(tail)
    if number is None:
        return 0
    places = [at for at, character in enumerate(number[0]) if character.isdigit()]
    if not _SHOWN_DIGITS < len(places) <= _LONGEST_NUMBER:
        return 0
    return len(number[0]) - places[_SHOWN_DIGITS]
