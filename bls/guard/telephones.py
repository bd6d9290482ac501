# SPDX-License-Identifier: Apache-2.0
"""Phone numbers of any country, by the library `phonenumbers`.

The library takes about 0.1 ms a number and country: a text with more than `MOST` that could be one
gets a rule of ours instead, which is quicker and less exact.

Free-call numbers stay: they are help lines and firms, and a crisis line must get through.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import islice

import phonenumbers
from phonenumbers import Leniency, PhoneNumberMatcher, PhoneNumberType

from bls.policy.fold import fold

_ENOUGH_DIGITS = re.compile(r"[0-9](?:[^0-9\n]{0,4}[0-9]){6}")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}|\d{1,2}[./-]\d{1,2}[./-]\d{2,4}")
_KEPT = frozenset({PhoneNumberType.TOLL_FREE, PhoneNumberType.SHARED_COST})
_TRIES = 2_000
MOST = 256
_GAP = r"[ ()-]{0,2}"
_ENDS = r"(?![\w/])(?!-[0-9])(?! {1,2}(?!0[1-9])[0-9])"  # what follows is another one, if any
_RUN = re.compile(
    rf"(?<![\w.,/:+-])(?:\+[1-9](?:{_GAP}[0-9]){{7,13}}|\(?0[1-9](?:{_GAP}[0-9]){{8,12}}?{_ENDS})"
)
_NOT_DIGITS = re.compile(r"[^0-9]+")
_FREE_RUN = re.compile(r"0?8(?:00|08)|1?8(?:00|33|44|55|66|77|88)|4480[08]")


def telephones(text: str, countries: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Where they begin and end; digits alone are a number only where their country writes it so."""
    candidates = sum(1 for _ in islice(_ENOUGH_DIGITS.finditer(fold(text)), MOST + 1))
    if candidates > MOST:
        yield from _runs(text)
    elif candidates:
        yield from _numbers(text, countries)


def _runs(text: str) -> Iterator[tuple[int, int]]:
    """Of numbers that begin with `+` or 0 and are written in groups; not of free ones."""
    for match in _RUN.finditer(text):
        plain = _NOT_DIGITS.sub("", match[0])
        kept = match[0].isdigit() or _DATE.match(match[0]) or _FREE_RUN.match(plain)
        if not kept:
            yield match.span()


def _numbers(text: str, countries: Sequence[str]) -> Iterator[tuple[int, int]]:
    for country in (None, *countries):
        matcher = PhoneNumberMatcher(text, country, Leniency.STRICT_GROUPING, _TRIES)
        for match in matcher:
            bare = match.raw_string.isdigit()
            if not bare and not _DATE.fullmatch(match.raw_string) and not _free(match.number):
                yield match.start, match.end


def _free(number: phonenumbers.PhoneNumber) -> bool:
    return phonenumbers.number_type(number) in _KEPT
