# SPDX-License-Identifier: Apache-2.0
"""The ad text of a product: what the advertiser's model is told, within the prompt's limits.

Slots are joined, never formatted into one another, so braces and percent signs of a product are
what they are. What does not fit is left out from the end of the description, after a whole
sentence where one ends late enough, else after a whole word.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from tokenizers import Tokenizer

from bls.errors import SkynetError
from bls.limits import LIMITS
from client.intake.product import Product

_SENTENCE_FROM = 0.6
"""A cut text ends with a sentence when that keeps this share of it."""
_PUNCTUATION = " ,;:-–—|/&("


class Counter(Protocol):
    """Where the token after the last that fits begins."""

    def end(self, text: str, most: int) -> int | None:
        """Characters of `text` within its first `most` tokens; None when all are."""


class ModelTokens:
    """Counts with the served model's tokenizer, as the prompt builder does.

    Attributes:
        special: its control tokens.
    """

    def __init__(self, folder: Path) -> None:
        """Raises `llm_missing`."""
        try:
            self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        except Exception:  # the library raises bare exceptions
            raise SkynetError("llm_missing", "No exported LLM; run `make setup`.", 500) from None
        self._tokenizer.encode_special_tokens = True
        added = self._tokenizer.get_added_tokens_decoder().values()
        self.special = tuple(token.content for token in added if token.special)

    def end(self, text: str, most: int) -> int | None:
        offsets = self._tokenizer.encode(text, add_special_tokens=False).offsets
        return None if len(offsets) <= most else int(offsets[most][0])


def ad_text(product: Product, tokens: Counter) -> str:
    """The template: what it is, whose it is, where it is sold, and what there is to say of it."""
    whose = "" if product.brand.casefold() in product.title.casefold() else f" by {product.brand}"
    site = f" ({product.website})" if product.website else ""
    head = f"Recommend {product.title.rstrip('.')}{whose}{site}."
    more = "" if product.description.startswith(product.title) else product.description
    return fit(f"{head} {more}".strip(), tokens)


def fit(text: str, tokens: Counter) -> str:
    """The beginning of `text` within `LIMITS.ad_prompt_tokens` and `creative_text_bytes`."""
    room = LIMITS.ad_prompt_tokens
    text = _bytes(text, min(LIMITS.creative_text_bytes, LIMITS.ad_prompt_bytes))
    while tokens.end(text, LIMITS.ad_prompt_tokens) is not None:
        text = _cut(text, tokens.end(text, room) or 0)
        room -= 1  # a cut may change how the last word is split
    return text


def _bytes(text: str, most: int) -> str:
    whole = text.encode()
    return text if len(whole) <= most else _cut(text, len(whole[:most].decode(errors="ignore")))


def _cut(text: str, end: int) -> str:
    """Before the sentence or the word that `end` is in; a single long word is cut in two."""
    kept = text[:end]
    sentence = max(kept.rfind(mark) for mark in (". ", "! ", "? ")) + 1
    if sentence >= _SENTENCE_FROM * end:
        return kept[:sentence]
    if not text[end : end + 1].isspace() and (space := kept.rfind(" ")) > 0:
        kept = kept[:space]
    return kept.rstrip(_PUNCTUATION) or text[: max(1, end - 1)]
