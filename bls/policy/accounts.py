# SPDX-License-Identifier: Apache-2.0
"""Payment cards and bank accounts, by their form and their check digits."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bls.policy.check_digits import IBAN_LENGTH, card, iban
from bls.policy.match import Match
from bls.policy.phones import digits

_CARD = re.compile(
    r"(?<![0-9])(?<![0-9][ -])(?:"
    r"3[47][0-9]{2}([ -]?)[0-9]{6}\1[0-9]{5}|"
    r"3[068][0-9]{2}([ -]?)[0-9]{6}\2[0-9]{4}|"
    r"[2-6][0-9]{3}([ -]?)[0-9]{4}\3[0-9]{4}\3[0-9]{4})(?![ -]?[0-9])"
)
_IBAN = re.compile(r"(?<![a-z0-9])(?=([a-z]{2}[0-9]{2}(?: ?[a-z0-9]){11,30}))")


def cards(folded: str) -> Iterator[Match]:
    """Card numbers, in the groups they are printed in or in one piece."""
    for match in _CARD.finditer(folded):
        if card(digits(match[0])):
            yield Match("card", match.start(), match.end())


def ibans(folded: str) -> Iterator[Match]:
    """International bank account numbers, with or without spaces."""
    for match in _IBAN.finditer(folded):
        size = IBAN_LENGTH.get(match[1][:2], 0)
        ends = [at for at, character in enumerate(match[1], 1) if character != " "]
        if 0 < size <= len(ends) and iban(match[1][: ends[size - 1]].replace(" ", "")):
            yield Match("iban", match.start(), match.start() + ends[size - 1])
