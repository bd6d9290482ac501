# SPDX-License-Identifier: Apache-2.0
"""Creatives: an advertiser's words, and what in them moves readers.

A text is a name, a product, and in varying order an attribute, an offer and a call to action, some
absent, some shouted. `read` finds the same phrases in any text, so that a text's latent quality and
curve shape are functions of its words, whoever wrote it. The weights of phrases are the world's.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from bls.contracts import AD_TOKENS
from pipelines_dagster.defs.market.topics import PRODUCTS, TOPICS

OFFERS = {
    "20% off this week": 0.9,
    "half price today": 1.1,
    "free shipping": 0.6,
    "free returns": 0.5,
    "buy two, get one": 0.4,
    "save up to 40%": 0.8,
    "first month free": 0.7,
    "price match promise": 0.2,
}
CALLS = {
    "Book now": 0.5,
    "Shop now": 0.4,
    "Try it free": 0.7,
    "Learn more": 0.1,
    "Get a quote": 0.0,
    "Order today": 0.5,
    "Visit our store": -0.1,
    "Sign up in a minute": 0.3,
}
ATTRIBUTES = {
    "rated 4.8 by 2,000 customers": 0.7,
    "trusted since 1962": 0.3,
    "hand made": 0.3,
    "two year warranty": 0.4,
    "made from recycled material": 0.2,
    "light and durable": 0.1,
    "the best ever": -0.4,
    "unbelievable results": -0.6,
    "limited stock": 0.1,
    "award winning design": 0.3,
}
FILLERS = (
    "We have been doing this for a long time and we like what we do.",
    "Terms and conditions apply.",
    "Part of a family of brands you may know.",
    "Available in many sizes and colours.",
)
FILLER_WEIGHT = -0.25
SHOUT_WEIGHT = -0.8
BANG_WEIGHT = -0.3

BRANDS = tuple(
    first + last
    for first in ("Aldo", "Bryn", "Cor", "Delta", "Elm", "Fjord", "Gala", "Hex")
    for last in ("via", "mark", "lane", "nest", "works")
)

_TOKEN = re.compile(r"\w+|[^\w\s]")
_PHRASES = {phrase.lower(): weight for phrase, weight in (OFFERS | CALLS | ATTRIBUTES).items()}
_HOOKS = tuple(phrase.lower() for phrase in OFFERS | CALLS)


@dataclass(frozen=True)
class Words:
    """What a text says to a reader.

    Attributes:
        quality: sum of the weights of its phrases and manners.
        tokens: words and signs, at most `AD_TOKENS`.
        hook: place (from 1) of the last token of its first offer or call; `tokens` without one.
    """

    quality: float
    tokens: int
    hook: int


def read(text: str) -> Words:
    """The words of a text, the first `AD_TOKENS` tokens of it."""
    ends = [match.end() for match in _TOKEN.finditer(text)][:AD_TOKENS]
    head = text[: ends[-1]] if ends else ""
    low = head.lower()
    quality = sum(weight for phrase, weight in _PHRASES.items() if phrase in low)
    quality += FILLER_WEIGHT * sum(filler.lower() in low for filler in FILLERS)
    quality += SHOUT_WEIGHT * any(w.isupper() and len(w) > 3 for w in head.split())
    quality += BANG_WEIGHT * (head.count("!") > 1)
    hooks = [low.find(phrase) + len(phrase) for phrase in _HOOKS if phrase in low]
    first = sum(end < min(hooks) for end in ends) + 1 if hooks else len(ends)
    return Words(quality, max(1, len(ends)), max(1, first))


def draw_text(brand: str, topic: int, rng: np.random.Generator) -> tuple[str, int]:
    """A creative for a topic, and the number of its product."""
    product = int(rng.integers(len(PRODUCTS[topic])))
    head = f"{brand} {PRODUCTS[topic][product]}, your {TOPICS[topic]} choice."
    return dress(head, rng), product


def dress(head: str, rng: np.random.Generator) -> str:
    """A head (a title, say) with an attribute, an offer, a call and fillers in some order."""
    parts = [_sentence(head)]
    for phrases, chance in ((ATTRIBUTES, 0.8), (OFFERS, 0.7), (CALLS, 0.75)):
        if rng.random() < chance:
            parts.append(_sentence(str(rng.choice(list(phrases)))))
    parts += [str(filler) for filler in rng.choice(FILLERS, rng.choice(3, p=(0.5, 0.35, 0.15)))]
    if rng.random() < 0.7:
        parts[1:] = [parts[1:][i] for i in rng.permutation(len(parts) - 1)]
    else:
        parts = [parts[i] for i in rng.permutation(len(parts))]
    if rng.random() < 0.15:
        place = int(rng.integers(len(parts)))
        parts[place] = parts[place].upper()
    if rng.random() < 0.15:
        parts[-1] = parts[-1].rstrip(".") + "!!"
    return " ".join(parts)


def _sentence(phrase: str) -> str:
    return phrase[:1].upper() + phrase[1:] + ("" if phrase.endswith(".") else ".")
