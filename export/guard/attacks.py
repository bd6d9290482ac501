# SPDX-License-Identifier: Apache-2.0
"""Ways to write a text past a classifier. Pure functions of the text and a seeded generator.

`TRAINED` are used as augmentation of every class, so that being written oddly is no sign of
anything; `UNSEEN` are kept for the bypass suite alone.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable

Attack = Callable[[str, random.Random], str]

_WORD = re.compile(r"[A-Za-z]{3,}")
_LEET = {"a": "4@", "e": "3", "i": "1!", "o": "0", "s": "5$", "t": "7", "b": "8", "g": "9"}
_LOOKALIKE = dict(zip("aceopxyijs", "асеорхуіјѕ", strict=True))
_ZERO_WIDTH = "\u200b\u200c\u200d\u2060\u00ad"
_ACCENT = "\u0301\u0308\u0323"
_VOWEL = re.compile(r"[aeiou]")
_EMOJI = "🔥✨💥"


def _words(text: str, rng: random.Random, change: Callable[[str], str], share: float) -> str:
    return _WORD.sub(lambda m: change(m[0]) if rng.random() < share else m[0], text)


def _letters(table: dict[str, str], share: float) -> Attack:
    def swap(letter: str, rng: random.Random) -> str:
        to = table.get(letter.lower())
        return rng.choice(to) if to and rng.random() < share else letter

    return lambda text, rng: "".join(swap(letter, rng) for letter in text)


def _between(marks: str, share: float) -> Attack:
    def change(text: str, rng: random.Random) -> str:
        def spread(word: str) -> str:
            return "".join(c + rng.choice(marks) if rng.random() < 0.5 else c for c in word)

        return _words(text, rng, spread, share)

    return change


def _spaced(text: str, rng: random.Random) -> str:
    mark = rng.choice(" .-_*")
    return _words(text, rng, mark.join, 0.5)


def _split(text: str, rng: random.Random) -> str:
    def change(word: str) -> str:
        at = rng.randrange(1, len(word))
        return f"{word[:at]} {word[at:]}"

    return _words(text, rng, change, 0.4)


def _drawn(text: str, rng: random.Random) -> str:
    def change(word: str) -> str:
        at = rng.randrange(len(word))
        return word[:at] + word[at] * rng.randrange(3, 6) + word[at + 1 :]

    return _words(text, rng, change, 0.5)


def _masked(text: str, rng: random.Random) -> str:
    return _words(text, rng, lambda word: _VOWEL.sub("*", word, count=1), 0.4)


def _swapped(text: str, rng: random.Random) -> str:
    def change(word: str) -> str:
        at = rng.randrange(1, len(word) - 1) if len(word) > 3 else 0
        return word[:at] + word[at + 1] + word[at] + word[at + 2 :]

    return _words(text, rng, change, 0.3)


def _shouted(text: str, rng: random.Random) -> str:
    return "".join(c.upper() if rng.random() < 0.5 else c for c in text)


def _bold(text: str, rng: random.Random) -> str:
    return _words(text, rng, lambda word: f"{word[:1]}**{word[1:]}**", 0.5)


def _tagged(text: str, rng: random.Random) -> str:
    return _words(text, rng, lambda word: f"<b>{word[:2]}</b>{word[2:]}", 0.5)


def _comment(text: str, rng: random.Random) -> str:
    return _words(text, rng, lambda word: f"{word[:2]}<!-- x -->{word[2:]}", 0.6)


def _entity(text: str, rng: random.Random) -> str:
    return "".join(f"&#{ord(c)};" if c.isalpha() and rng.random() < 0.4 else c for c in text)


def _fullwidth(text: str, rng: random.Random) -> str:
    return "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in text)


def _emoji(text: str, rng: random.Random) -> str:
    return _words(text, rng, lambda word: rng.choice(_EMOJI).join(word), 0.5)


def _reversed(text: str, rng: random.Random) -> str:
    return _words(text, rng, lambda word: word[::-1], 0.4)


TRAINED: dict[str, Attack] = {
    "leetspeak": _letters(_LEET, 0.5),
    "homoglyphs": _letters(_LOOKALIKE, 0.6),
    "zero_width": _between(_ZERO_WIDTH, 0.7),
    "accents": _between(_ACCENT, 0.5),
    "spacing": _spaced,
    "split_words": _split,
    "drawn_out": _drawn,
    "masked_vowel": _masked,
    "swapped_letters": _swapped,
    "case": _shouted,
    "bold": _bold,
}
UNSEEN: dict[str, Attack] = {
    "tags": _tagged,
    "comments": _comment,
    "entities": _entity,
    "fullwidth": _fullwidth,
    "emoji": _emoji,
    "reversed": _reversed,
}
