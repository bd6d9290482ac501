# SPDX-License-Identifier: Apache-2.0
"""Phone numbers: international ones, North American ones, and any after a word like "call".

Bare digits are no phone number: orders, dates and populations look the same. Numbers that are free
to call are left alone: they are help lines and firms, and a crisis line must get through.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain

from bls.policy.match import Match

_GAP = r"[ ().-]{0,2}"
_INTERNATIONAL = re.compile(rf"(?<![\w+])\+[1-9](?:{_GAP}[0-9]){{7,14}}")
_AMERICAN = re.compile(
    r"(?<![\w.+-])(?<![0-9][ .-])(?:1[ .-])?(?:\([2-9][0-9]{2}\) ?|[2-9][0-9]{2}[ .-])"
    r"[2-9][0-9]{2}[ .-][0-9]{4}(?![0-9])"
)
_ANNOUNCED = re.compile(
    r"\b(?:call|cell|dial|fax|hotline|mobile|phone|sms|tel|telephone|text|whatsapp)\b"
    r"[^0-9.?!\n]{0,24}(?:tel|no)?\.?:? ?"
    r"(?![0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9]{1,2}[.-][0-9]{1,2}[.-][0-9]{4})"  # a date
    rf"(\(?[0-9](?:{_GAP}[0-9]){{8,14}}|[2-9][0-9]{{2}}-[0-9]{{4}})(?![0-9])"
)
_FREE_CALL = re.compile(r"1?8(?:00|33|44|55|66|77|88)|080[08]")
_FREE_CALL_ABROAD = re.compile(r"18(?:00|33|44|55|66|77|88)|4480[08]|800")
_NUMBER = re.compile(rf"[0-9](?:{_GAP}[0-9]){{6,14}}")
_NOT_DIGITS = re.compile(r"[^0-9]+")


def digits(text: str) -> str:
    """The digits of a text and nothing else."""
    return _NOT_DIGITS.sub("", text)


def phones(folded: str) -> Iterator[Match]:
    """Phone numbers in folded text that may be a person's; the value is their digits."""
    for match in _INTERNATIONAL.finditer(folded):
        if not _FREE_CALL_ABROAD.match(digits(match[0])):
            yield Match("phone", match.start(), match.end(), value=digits(match[0]))
    national = ((match, 0) for match in _AMERICAN.finditer(folded))
    announced = ((match, 1) for match in _ANNOUNCED.finditer(folded))
    for match, group in chain(national, announced):
        if not _FREE_CALL.match(digits(match[group])):
            yield Match("phone", *match.span(group), value=digits(match[group]))


def numbers(folded: str) -> Iterator[str]:
    """Digits of everything that could be a phone number, at least seven."""
    return (digits(match[0]) for match in _NUMBER.finditer(folded))
