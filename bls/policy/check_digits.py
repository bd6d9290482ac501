# SPDX-License-Identifier: Apache-2.0
"""Check digits of payment cards (Luhn, ISO/IEC 7812) and bank accounts (IBAN, ISO 13616)."""

from __future__ import annotations

_IBAN_LENGTHS = {
    length: frozenset(countries.split())
    for length, countries in {
        15: "NO",
        16: "BE",
        18: "DK FI FO GL NL SD",
        19: "MK SI",
        20: "AT BA EE KZ LT LU XK",
        21: "CH HR LI LV",
        22: "BG BH CR DE GB GE IE ME RS VA",
        23: "AE GI IL IQ OM SO TL",
        24: "AD CZ ES MD PK RO SA SE SK TN VG",
        25: "LY PT ST",
        26: "IS TR",
        27: "BI DJ FR GR IT MC MR SM",
        28: "AL AZ BY CY DO GT HU LB NI PL SV",
        29: "BR EG PS QA UA",
        30: "JO KW MU YE",
        31: "MT SC",
        32: "LC",
        33: "RU",
    }.items()
}
IBAN_LENGTH = {
    country.lower(): length for length, countries in _IBAN_LENGTHS.items() for country in countries
}
"""Country in small letters -> characters of its IBANs, by the SWIFT registry."""

_SIXTEEN = 16


def luhn(digits: str) -> bool:
    """Whether the last digit is the check digit of the others."""
    total = 0
    for place, character in enumerate(reversed(digits)):
        value = int(character) << (place % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def card(digits: str) -> bool:
    """A card number of a large scheme: its first digits, its length, its check digit."""
    return 0 < len(digits) == _card_length(digits) and luhn(digits)


def _card_length(digits: str) -> int:
    """How long a number that begins so is; 0 where no scheme issues it."""
    two, three, four, six = (int(digits[:size] or "0") for size in (2, 3, 4, 6))
    if two in (34, 37):  # American Express
        return 15
    if two in (36, 38) or 300 <= three <= 305:  # Diners Club
        return 14
    visa = digits[:1] == "4"
    mastercard = 51 <= two <= 55 or 2221 <= four <= 2720
    discover = four == 6011 or two == 65 or 644 <= three <= 649 or 622126 <= six <= 622925
    jcb = 3528 <= four <= 3589
    return _SIXTEEN if visa or mastercard or discover or jcb else 0


def iban(text: str) -> bool:
    """A whole IBAN in small letters, without spaces: its country's length, remainder 1 mod 97."""
    if IBAN_LENGTH.get(text[:2]) != len(text):
        return False
    moved = text[4:] + text[:4]
    return int("".join(str(int(character, 36)) for character in moved)) % 97 == 1
