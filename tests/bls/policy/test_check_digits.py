# SPDX-License-Identifier: Apache-2.0
"""Check digits against published examples and against every single wrong digit."""

from __future__ import annotations

import pytest

from bls.policy.check_digits import IBAN_LENGTH, card, iban, luhn

CARDS = {
    "visa": "4111111111111111",
    "mastercard": "5555555555554444",
    "mastercard 2 series": "2223003122003222",
    "american express": "378282246310005",
    "discover": "6011111111111117",
    "diners": "30569309025904",
    "jcb": "3530111333300000",
}
IBANS = [
    "GB82WEST12345698765432",
    "DE89370400440532013000",
    "FR1420041010050500013M02606",
    "NO9386011117947",
    "MT84MALT011000012345MTLCAST001S",
    "CH9300762011623852957",
]


@pytest.mark.parametrize("number", CARDS.values(), ids=CARDS)
def test_cards(number: str) -> None:
    assert luhn(number) and card(number)
    for place in range(len(number)):
        for digit in set("0123456789") - {number[place]}:
            assert not luhn(number[:place] + digit + number[place + 1 :])


@pytest.mark.parametrize(
    "number", ["", "0", "0000000000000000", "4111111111111", "1234567812345670"]
)
def test_no_cards(number: str) -> None:
    """Too short, or of no scheme, whatever the check digit says."""
    assert not card(number)


@pytest.mark.parametrize("number", IBANS)
def test_ibans(number: str) -> None:
    small = number.lower()
    assert iban(small) and IBAN_LENGTH[small[:2]] == len(small)
    assert not iban(small[:-1])
    changed = small[:-1] + ("1" if small[-1] != "1" else "2")
    assert not iban(changed)
    assert not iban("xx" + small[2:])
