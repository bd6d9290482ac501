# SPDX-License-Identifier: Apache-2.0
"""Personal data in a reply: e-mail addresses, phone numbers, payment cards, bank accounts.

Each match ends where the number or address is complete, also while more text may follow: an
address cannot become harmless again. All patterns have bounded repeats, so time is linear.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import chain

from bls.policy.fold import fold
from bls.policy.match import Match
from bls.policy.numbers import IBAN_LENGTH, card, iban

_LOCAL_PART = re.compile(r"[a-z0-9.+%-]{1,64}\Z")
_DOMAIN = re.compile(r"(?=[0-9-]{0,62}[a-z])[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63}){0,4}?\.[a-z]{2,24}")
_RESERVED = re.compile(r"(?:.*\.)?example(?:\.(?:com?|net?|org?))?|.*\.(?:test|invalid)")
"""Domains nobody can own (RFC 2606), also while their last letter is still to come."""
_PLACEHOLDERS = frozenset(
    "email firstname.lastname git name someone user username you your.email your.name youremail "
    "yourname".split()
)

_GAP = r"[ ().-]{0,2}"
_INTERNATIONAL = re.compile(rf"(?<![\w+])\+[1-9](?:{_GAP}[0-9]){{7,14}}")
_AMERICAN = re.compile(
    r"(?<![\w.+-])(?:1[ .-])?(?:\([2-9][0-9]{2}\) ?|[2-9][0-9]{2}[ .-])"
    r"[2-9][0-9]{2}[ .-][0-9]{4}(?![0-9])"
)
_AFTER_A_WORD = re.compile(
    r"\b(?:call|cell|dial|fax|hotline|mobile|phone|sms|tel|telephone|text|whatsapp)\b"
    r"[^0-9.?!\n]{0,24}(?:tel|no)?\.?:? ?"
    r"(?![0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9]{1,2}[.-][0-9]{1,2}[.-][0-9]{4})"
    rf"(\(?[0-9](?:{_GAP}[0-9]){{8,14}}|[2-9][0-9]{{2}}-[0-9]{{4}})(?![0-9])"
)
_FREE_CALL = re.compile(r"1?8(?:00|33|44|55|66|77|88)|080[08]")
_FREE_CALL_ABROAD = re.compile(r"18(?:00|33|44|55|66|77|88)|4480[08]|800")
"""First digits of numbers that are free to call: help lines and firms, never a person."""
_CARD = re.compile(
    r"(?<![0-9])(?<![0-9][ -])(?:"
    r"3[47][0-9]{2}([ -]?)[0-9]{6}\1[0-9]{5}|"
    r"3[068][0-9]{2}([ -]?)[0-9]{6}\2[0-9]{4}|"
    r"[2-6][0-9]{3}([ -]?)[0-9]{4}\3[0-9]{4}\3[0-9]{4})(?![ -]?[0-9])"
)
_IBAN = re.compile(r"(?<![a-z0-9])(?=([a-z]{2}[0-9]{2}(?: ?[a-z0-9]){11,30}))")
_LOOSE_NUMBER = re.compile(rf"[0-9](?:{_GAP}[0-9]){{6,14}}")
_NOT_DIGITS = re.compile(r"[^0-9]+")

_NUMBER_TAIL = re.compile(r"\(?[0-9](?:[ ().-]{0,2}[0-9])*[ ().-]{0,2}\Z")
_EMAIL_TAIL = re.compile(r"(?<=[\w.+%-])@[\w.-]*\Z")
_TAIL = 100
_SHOWN_DIGITS = 6
_LONGEST_NUMBER = 34


def personal_data(folded: str) -> Iterator[Match]:
    """Every e-mail address, phone, card and account number in folded text."""
    if "@" in folded:
        yield from _emails(folded)
    yield from _phones(folded)
    yield from _cards(folded)
    yield from _ibans(folded)


def contacts(texts: Iterable[str]) -> frozenset[str]:
    """E-mail addresses and phone numbers in texts the reader or an advertiser wrote."""
    found: set[str] = set()
    for text in texts:
        folded = fold(text)
        numbers = _LOOSE_NUMBER.finditer(folded)
        found.update(_digits(number[0]) for number in numbers)
        found.update(match.value for match in _emails(folded))
    return frozenset(found)


def is_one_of(match: Match, allowed: frozenset[str]) -> bool:
    """Whether the match is one of the contacts, so far or without its country code."""
    if match.reason == "email":
        return any(contact.startswith(match.value) for contact in allowed)
    return match.reason == "phone" and any(
        contact.startswith(match.value)
        or contact.endswith(match.value)
        or match.value.endswith(contact)
        for contact in allowed
    )


def unfinished(text: str) -> int:
    """How many characters at the end of (unfolded) text belong to what may become an e-mail address
    or a number worth hiding; of a number, the first six digits are not counted."""
    tail = text[-_TAIL:]
    if address := _EMAIL_TAIL.search(tail):
        return len(address[0])
    number = _NUMBER_TAIL.search(tail)
    if number is None:
        return 0
    digits = [at for at, character in enumerate(number[0]) if character.isdigit()]
    if not _SHOWN_DIGITS < len(digits) <= _LONGEST_NUMBER:
        return 0
    return len(number[0]) - digits[_SHOWN_DIGITS]


def _emails(folded: str) -> Iterator[Match]:
    at = folded.find("@")
    while at >= 0:
        local = _LOCAL_PART.search(folded, max(0, at - 64), at)
        domain = _DOMAIN.match(folded, at + 1)
        if local and domain and not _RESERVED.fullmatch(domain[0]):
            if local[0] not in _PLACEHOLDERS:
                value = folded[local.start() : domain.end()]
                yield Match("email", local.start(), domain.end(), value=value)
        at = folded.find("@", at + 1)


def _phones(folded: str) -> Iterator[Match]:
    for match in _INTERNATIONAL.finditer(folded):
        digits = _digits(match[0])
        if not _FREE_CALL_ABROAD.match(digits):
            yield Match("phone", match.start(), match.end(), value=digits)
    national = ((m, 0) for m in _AMERICAN.finditer(folded))
    announced = ((m, 1) for m in _AFTER_A_WORD.finditer(folded))
    for match, group in chain(national, announced):
        digits = _digits(match[group])
        if not _FREE_CALL.match(digits):
            yield Match("phone", match.start(group), match.end(group), value=digits)


def _cards(folded: str) -> Iterator[Match]:
    for match in _CARD.finditer(folded):
        if card(_digits(match[0])):
            yield Match("card", match.start(), match.end())


def _ibans(folded: str) -> Iterator[Match]:
    for match in _IBAN.finditer(folded):
        size = IBAN_LENGTH.get(match[1][:2], 0)
        ends = [at for at, character in enumerate(match[1], 1) if character != " "]
        if 0 < size <= len(ends) and iban(match[1][: ends[size - 1]].replace(" ", "")):
            yield Match("iban", match.start(), match.start() + ends[size - 1])


def _digits(text: str) -> str:
    return _NOT_DIGITS.sub("", text)
