# SPDX-License-Identifier: Apache-2.0
"""Personal data out of a text, and nothing else with it."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bls.guard import telephones
from bls.guard.scrub import KINDS, scrub

CASES = [
    ("mail jane.doe+x@gmail.com now", "mail [email] now"),
    ("\uff4a\uff41\uff4e\uff45@gmail.com", "[email]"),
    ("call 408-971-8523.", "call [phone]."),
    ("(408) 971-8523", "[phone]"),
    ("+33 1 42 68 53 00", "[phone]"),
    ("+44 20 7946 0958", "[phone]"),
    ("+49 30 901820", "[phone]"),
    ("+91 98765 43210", "[phone]"),
    ("card 4111 1111 1111 1111", "card [card]"),
    ("card 4111 1111 1111 1112", "card 4111 1111 1111 1112"),  # fails Luhn
    ("DE89 3704 0044 0532 0130 00", "[iban]"),
    ("GB82WEST12345698765432", "[iban]"),
    ("at 71 North San Pedro Street, San Jose", "at [address], San Jose"),
    ("6000 Bollinger Canyon Road Suite 2300.", "[address]."),
    ("60 furman street, brooklyn", "[address], brooklyn"),
    ("2211 Hastings Drive", "[address]"),
    ("M\u00f6hrenstra\u00dfe 12a, 10117 Berlin", "[address], 10117 Berlin"),
    ("1 Place de la Sorbonne, 75005", "[address]"),
    ("P.O. Box 1234", "[address]"),
    ("60 Furman street Brooklyn", "[address] Brooklyn"),
    ("12 main st., then left", "[address], then left"),
    ("2 Elm St", "[address]"),
    ("350 5th Ave apt 4b", "[address]"),
    ("1500 broadway", "[address]"),
    ("12 place Vend\u00f4me", "[address]"),
    ("Via della Conciliazione 5", "[address]"),
    ("Via Roma, 12", "[address]"),
    ("calle Mayor 12", "[address]"),
    ("on March 14 71 Main Street", "on March 14 [address]"),
]
INNOCENT = [
    "What is 2 x ln 5?",
    "2 x ln(5) + 3",
    "The conference takes place March 14 at 9am",
    "fly via Denver 2 tickets",
    "a 4 lane road",
    "3 chicken street tacos",
    "I came in 2nd place Team 7",
    "3 Chicken Street Tacos and 2 Mexican street corn",
    "10 dusty road warriors",
    "a 65 mph freeway, a 12 lane highway.",
    "we saw 3 Broadway shows and 12 broadway musicals",
    "Crowne Plaza Hotel 3 nights",
    "the Porsche Carrera GT 2 of 2005",
    "bus 12 via London to Paris",
    "Via Denver, 2 tickets",
    "it took place Monday 7",
    "meet me May 14 Golden Gate Park",
    "20 people crossing the street.",
    "16 blocks down the road, then right",
    "solve 3 y ln 7 = 1",
    "the 2 best st bernards",
    "a 15 mile dirt road.",
    "24 hour street parking",
    "chapter 5 Rd me a story",
    "take place 3 of 10",
    "2 cups, 1 tbsp, 3 rd",
    "fly via Los Angeles 2 adults",
    "first place Team 4, second place Team 9",
    "a 10 foot alley.",
    "buy 12 road bikes",
]
KEPT = [
    "a table for 2 at 7 pm on March 3rd",
    "20 minutes drive, a 5 star hotel place",
    "2025-04-23 12:30, 3/12, 10.5 miles",
    "order 123456789, 3,200 dollars, $640 a month",
    "call 1-800-273-8255 or 988",  # help lines get through
    "you@example.com",
    "size 38.5*17*8.5mm, IEEE802.11a/b/g/n",
    "[email] [phone] [card] [iban] [address] [name]",
    "",
]


@pytest.mark.parametrize(("text", "scrubbed"), CASES)
def test_personal_data_becomes_a_placeholder(text: str, scrubbed: str) -> None:
    found = scrub(text)
    assert found.text == scrubbed
    assert sum(found.found.values()) == len(re.findall(r"\[[a-z]+\]", scrubbed))


@pytest.mark.parametrize("text", KEPT + INNOCENT)
def test_what_is_nobodys_stays_byte_for_byte(text: str) -> None:
    assert scrub(text, with_names=True).text == text
    assert not scrub(text).found


def test_names_go_only_where_asked() -> None:
    text = "My name is Grace Hopper. Dear Bob, Dr. van Helsing says hello to Will."
    assert scrub(text).text == text
    assert scrub(text, with_names=True).text.startswith("My name is [name]. Dear [name],")


def test_countries_decide_about_national_numbers() -> None:
    text = "reach me on 030 901820 12"
    assert scrub(text, countries=()).text == text
    assert scrub(text, countries=("DE",)).text == "reach me on [phone]"


_PIECES = st.sampled_from(
    (
        *("jane@gmail.com", "408-971-8523", "4111 1111 1111 1111", "71 Main Street"),
        *("+1 650-596-9828", "GB82WEST12345698765432", " ", ", ", "hello", "7 pm"),
        *("\u200b", "\u00e9", ".", "(", "@", "5"),
    )
)


@settings(max_examples=60, deadline=None)
@given(st.lists(_PIECES, max_size=10).map("".join) | st.text(max_size=60))
def test_scrubbing_twice_changes_nothing_more(text: str) -> None:
    once = scrub(text, with_names=True)
    assert scrub(once.text, with_names=True).text == once.text
    assert set(once.found) <= set(KINDS)


@settings(max_examples=60, deadline=None)
@given(st.lists(_PIECES, max_size=10).map("".join))
def test_what_is_between_placeholders_was_there_before(text: str) -> None:
    """Pieces of the answer stand in the text, in order."""
    at = 0
    for piece in re.split(r"\[[a-z]+\]", scrub(text).text):
        found = text.find(piece, at)
        assert found >= 0
        at = found + len(piece)


@pytest.mark.parametrize("part", ["1 ", "9", "a@", "1-", "12 a ", "rue de ", "<", "+1 ", "(5) "])
def test_time_is_linear(part: str) -> None:
    """Processor time of twice the text is about twice; a quadratic rule takes minutes here."""
    text = part * (8_000 // len(part))
    began = time.process_time()
    scrub(text)
    assert time.process_time() - began < 20


def test_a_text_full_of_numbers_does_not_ask_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """64 KB of them took two seconds of a reply."""
    monkeypatch.setattr(telephones, "PhoneNumberMatcher", None)
    for number in ("+1 212-555-0187", "030 901820 12", "(020) 7946 0958"):
        once = scrub(f"{number} " * 4_096)
        assert once.text == "[phone] " * 4_096
        assert scrub(once.text).text == once.text


def test_tables_of_figures_are_no_numbers() -> None:
    text = "2025-04-23 12:30 04-03-2024 12:00 3,200 10.5 0.25 12345678 1-800-273-8255\n" * 400
    assert scrub(text).text == text
