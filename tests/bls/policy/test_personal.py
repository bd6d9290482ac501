# SPDX-License-Identifier: Apache-2.0
"""Personal data in output: what is found, what is not, what may be said, what is held back."""

from __future__ import annotations

import pytest

from bls.policy.filter import load_filter
from bls.policy.personal import contacts, unfinished

FILTER = load_filter()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Mail jane.doe+x@gmail.com today", "email"),
        ("JANE@MAIL.CO.UK", "email"),
        ("jane_doe@sub.domain.org", "email"),
        ("ｊａｎｅ＠ｇｍａｉｌ．ｃｏｍ", "email"),
        ("j\u200bane@gm\u00adail.com", "email"),
        ("It is (415) 555-2671.", "phone"),
        ("415-555-2671", "phone"),
        ("415.555.2671 is it", "phone"),
        ("1-415-555-2671", "phone"),
        ("+44 20 7946 0958", "phone"),
        ("+49 (0)30 901820", "phone"),
        ("+33123456789", "phone"),
        ("call 020 7946 0958", "phone"),
        ("Phone no. 4155552671", "phone"),
        ("text me at 555-2671", "phone"),
        ("Tel: 030/901820, tel 030 90182 0123", "phone"),
        ("4111 1111 1111 1111", "card"),
        ("4111-1111-1111-1111", "card"),
        ("pay with 5555555555554444 now", "card"),
        ("3782 822463 10005", "card"),
        ("3056 930902 5904", "card"),
        ("DE89 3704 0044 0532 0130 00", "iban"),
        ("to GB82WEST12345698765432.", "iban"),
        ("ab12 de89370400440532013000", "iban"),
    ],
)
def test_personal_data_is_found(text: str, reason: str) -> None:
    assert FILTER.check(text).reason == reason


@pytest.mark.parametrize(
    "text",
    [
        "you@example.com, a@mail.example.org and name@company.com",
        "git@github.com:x/y.git, @jane, react@18.2.0, 3 @ $5, a@b",
        "Call 1-800-273-8255, +1 800 273 8255, 0800 1111 or 116 123",
        "+44 808 808 0123",
        "Born 2024-12-31, 31.12.2024, 12/31/2024; call by 2024-12-31 10:30",
        "It has 1,234,567,890 people or 8000000000, order 4155552671",
        "192.168.100.1 and 255.255.255.0 and 10.0.0.1",
        "ISBN 978-0-306-40615-7, 978-3-16-148410-0",
        "3.14159265358979323846264338327950288419716939937510",
        "20! = 2432902008176640000 and 2^64 = 18446744073709551616",
        "4111 1111 1111 1112, 4111 1111 1111 11112, 1234 5678 1234 5670",
        "DE88 3704 0044 0532 0130 00",
        "years 2019 2020 2021 2022, room 415 555",
        "f(x) = 2 + 12345 - 678-90",
    ],
)
def test_ordinary_numbers_and_signs(text: str) -> None:
    assert FILTER.check(text, final=True).safe


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("Book at stay@harborhotels.com!", "Write to STAY@harborhotels.com"),
        ("Call +1 415 555 2671", "dial 415-555-2671"),
        ("my number is 4155552671", "You gave (415) 555-2671"),
        ("415-555-2671", "+1 415 555 2671"),
    ],
)
def test_contacts_that_were_written_may_be_said(written: str, said: str) -> None:
    assert not FILTER.check(said).safe
    assert FILTER.check(said, allowed=contacts([written])).safe


@pytest.mark.parametrize(
    "said", ["other@harborhotels.com", "dial 415-555-2672", "+44 20 7946 0958"]
)
def test_other_contacts_may_not(said: str) -> None:
    allowed = contacts(["stay@harborhotels.com, +1 415 555 2671"])
    assert not FILTER.check(said, allowed=allowed).safe


@pytest.mark.parametrize("number", ["4111 1111 1111 1111", "DE89 3704 0044 0532 0130 00"])
def test_payment_data_is_never_repeated(number: str) -> None:
    """Not even when the reader or an advertiser wrote it."""
    assert not FILTER.check(number, allowed=contacts([number])).safe


@pytest.mark.parametrize(
    ("text", "held"),
    [
        ("call 415-55", ""),
        ("call 415-555-26", "-26"[1:]),
        ("call (415) 555-2671 ", "2671 "),
        ("4111 1111 1111 ", "11 1111 "),
        ("pi is 3.141592653", "2653"),
        ("1" * 35, ""),
        ("jane", ""),
        ("jane@", "@"),
        ("jane@gmail.c", "@gmail.c"),
        ("@jane", ""),
        ("over.", ""),
        ("", ""),
    ],
)
def test_what_may_become_personal_is_held_back(text: str, held: str) -> None:
    """Of a number, all but its first six digits."""
    assert unfinished(text) == len(held)
    assert not held or text.endswith(held)


def test_a_number_is_refused_with_the_digit_that_completes_it() -> None:
    """Written digit by digit, everything before the last is safe."""
    for number in ("415-555-2671", "4111 1111 1111 1111", "DE89 3704 0044 0532 0130 00"):
        verdicts = [FILTER.check(number[: end + 1], end) for end in range(len(number))]
        assert [verdict.safe for verdict in verdicts] == [True] * (len(number) - 1) + [False]
        assert verdicts[-1].taints_held and verdicts[-2].held
