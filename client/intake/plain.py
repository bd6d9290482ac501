# SPDX-License-Identifier: Apache-2.0
"""A cell of somebody's file as one plain line: no markup, no control characters, no words that
mean something to a prompt.

Whatever is taken out leaves a space, so that its ends cannot join to the very thing removed. It is
repeated until nothing changes; the chat template encodes ad texts as plain text besides
(`bls.prompt.template`), so this is the first of two walls.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Sequence

CELL = 8_192
"""Characters of a cell that are looked at; an ad has room for far fewer."""

_TAG = re.compile(r"</?[A-Za-z!][^<>]{0,400}>")
_CONTROL = re.compile(
    r"<\|[^<>|]{0,64}\|>"  # <|im_start|> and its kin
    r"|</?s>|<</?sys>>|\[/?inst\]"  # Llama
    r"|\[/?(?:sys|sum|tail|ad_prompt)\]",  # the slots of our own prompt
    re.IGNORECASE,
)
_SPACE = re.compile(r"\s+")
_KEEP = {"\u200d"}
"""The joiner within emoji; every other format character is dropped."""


def plain(text: str, special: Sequence[str] = ()) -> str:
    """`text` as one line.

    Args:
        special: control tokens of the served model, taken out wherever they stand.
    """
    text = unicodedata.normalize("NFC", html.unescape(text[:CELL]))
    if not text.isprintable():
        text = "".join(map(_visible, text))
    before = ""
    while text != before:
        before = text
        text = _TAG.sub(" ", _CONTROL.sub(" ", text))
        for token in special:
            text = text.replace(token, " ")
        text = _SPACE.sub(" ", text).strip()
    return text


def _visible(character: str) -> str:
    """The character, a space for what breaks a line, nothing for what is not seen."""
    if character in _KEEP:
        return character
    category = unicodedata.category(character)
    if category in ("Zl", "Zp") or character in "\t\n\v\f\r\x85":
        return " "
    return "" if category[0] == "C" else character
