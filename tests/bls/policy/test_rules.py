# SPDX-License-Identifier: Apache-2.0
"""The built-in word rules: what they catch, in every disguise, and what they leave alone."""

from __future__ import annotations

import random
import time

import pytest

from bls.policy.filter import load_filter
from tests.bls.policy.test_fold import SPELLINGS

FILTER = load_filter()


def reason(text: str) -> str:
    return FILTER.check(text, final=True).reason


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("What a faggot.", "slur"),
        ("They are niggers", "slur"),
        ("Two fags, please", "slur"),
        ("He is a porch monkey!", "slur"),
        ("you retard", "slur"),
        ("Go fuck a duck", "profanity"),
        ("you are a whore", "profanity"),
        ("I'll kill you", "threat"),
        ("I will find you and hurt you", "threat"),
        ("Kill all Jews", "threat"),
        ("Nice day. Gas the Jews", "threat"),
        ("KYS", "self_harm"),
        ("You should kill yourself", "self_harm"),
        ("Why don't you just hang yourself?", "self_harm"),
        ("ok, go drink bleach", "self_harm"),
        ("Sad? Kill yourself.", "self_harm"),
    ],
)
def test_each_group_has_its_reason(text: str, expected: str) -> None:
    assert reason(text) == expected


DISGUISES = [
    "n1gg3r", "n!gg3r", "f4gg0t", "f@ggot", "fuuuuck", "niggggger",
    "f.u.c.k", "f u c k", "f - u - c - k", "a f u c k", "f_u_c_k", "f*u*c*k", "nig-ger", "nig.ger",
    "**nig**ger", "c\u200bu\u200bn\u200bt", "сunt", "FUCK", "@sshole", "a$$hole",
]  # fmt: skip


@pytest.mark.parametrize("text", [*DISGUISES, *SPELLINGS.values()])
def test_disguises(text: str) -> None:
    assert reason(f"so {text} then")


INNOCENT = [
    word
    for line in (
        "Scunthorpe assess Essex Sussex Middlesex cocktail therapist Dickens Penistone",
        "Clitheroe Lightwater Arsenal assassin class classic bass grass passage",
        "embassy associate analysis canal shitake Matsushita Hancock Cockburn peacock",
        "cockpit Babcock Alcock Hitchcock Dick Van Dyke Moby-Dick dictionary",
        "snigger niggle niggardly Niger Nigeria Nigel raccoon tycoon cocoon",
        "Pakistan Pakistani Fagin Fagerström fagus Fåglar faggio spice spicy",
        "conspicuous despicable suspicion auspicious chink chinks hoe hoes shoe",
        "retardant retardation raper drapery grape scrape therapeutic skyscraper titanic",
        "title constitution cumulative document circumstance cucumber buttress button rebuttal",
        "magna cum laude Cunter Cuntz scunner country county count",
        "account fuchsia Fukuoka Fukushima fuchs function kyshtym skys homosexual",
        "bisexual Japanese Jewish Muslim black white gay queer immigrant",
        "buoyant swank twatt Twatter bitchin pitch sluice blessing assign",
        "masseuse",
    )
    for word in line.split()
]


@pytest.mark.parametrize("word", INNOCENT)
def test_innocent_words(word: str) -> None:
    for text in (word, word.upper(), f"The {word}.", f"{word}s and {word}, {word}-like"):
        assert not reason(text), text


@pytest.mark.parametrize(
    "text",
    [
        "If you want to kill yourself, call 988 or 1-800-273-8255 right now.",
        "People who think they should kill themselves deserve help.",
        "The Nazis planned to kill all Jews in Europe.",
        "I will kill the process you started. I'll shoot you an e-mail.",
        "We should kill all zombies in this level.",
        "Where did it go? Die Hard was on. Go. Die is German for the.",
        "This will retard the growth of a retarded potential, a retardant.",
        "Version 2.0.1 of U.S.A. S.P.I.C.E. runs on a C-3PO, a.k.a. 3.p.o.",
        "The u n i t and the a s s e s s o r",
        "Please do not drink bleach; it is poison.",
        "ссср сука кот и собака, Привет",
        "Ταξίδι στην Αθήνα και στα νησιά",
        "x = a[i] * b[i]; f(u, c, k) and f u n",
        "Hmmm, brrrr, aaaaah, www.example.com, zzz, 1000000",
    ],
)
def test_innocent_sentences(text: str) -> None:
    assert not reason(text)


@pytest.mark.parametrize(
    "text",
    [
        "a" * 50_000,
        "a-" * 25_000,
        "a " * 25_000,
        "@" * 50_000,
        "a@" * 25_000,
        "$a" * 25_000,
        "1 " * 25_000,
        "4" * 50_000,
        "(1)-" * 12_500,
        "de89 " * 10_000,
        "call " * 10_000,
        "you should " * 5_000,
        "go kill " * 6_000,
        "\u0301" * 50_000,
        "a.b" * 17_000,
        "." * 50_000,
        "kill\n" * 10_000,
    ],
    ids=lambda text: repr(text[:6]),
)
def test_no_text_takes_long(text: str) -> None:
    """50,000 characters; anything worse than linear would take minutes."""
    began = time.perf_counter()
    FILTER.check(text, final=True)
    assert time.perf_counter() - began < 2


def test_twice_the_text_takes_about_twice_as_long() -> None:
    """Random text of the characters rules look at: no length makes it quadratic."""
    alphabet = "aefugnikl 0145@.-()+\n\u0301"
    source = random.Random(5)

    def seconds(size: int) -> float:
        text = "".join(source.choices(alphabet, k=size))
        began = time.perf_counter()
        FILTER.check(text)
        return time.perf_counter() - began

    small = min(seconds(20_000) for _ in range(3))
    large = min(seconds(80_000) for _ in range(3))
    assert large < 10 * small
