# SPDX-License-Identifier: Apache-2.0
"""Phone numbers of any country, by the library `phonenumbers`.

Free-call numbers stay: they are help lines and firms, and a crisis line must get through.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import phonenumbers
from phonenumbers import Leniency, PhoneNumberMatcher, PhoneNumberType

from bls.policy.fold import fold

_ENOUGH_DIGITS = re.compile(r"[0-9](?:[^0-9\n]{0,4}[0-9]){6}")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}|\d{1,2}[./-]\d{1,2}[./-]\d{2,4}")
_KEPT = frozenset({PhoneNumberType.TOLL_FREE, PhoneNumberType.SHARED_COST})
_TRIES = 2_000


def telephones(text: str, countries: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Where they begin and end; digits alone are a number only where their country writes it so."""
    if _ENOUGH_DIGITS.search(fold(text)) is None:
        return
    for country in (None, *countries):
        matcher = PhoneNumberMatcher(text, country, Leniency.STRICT_GROUPING, _TRIES)
        for match in matcher:
            bare = match.raw_string.isdigit()
            if not bare and not _DATE.fullmatch(match.raw_string) and not _free(match.number):
                yield match.start, match.end


def _free(number: phonenumbers.PhoneNumber) -> bool:
    return phonenumbers.number_type(number) in _KEPT
