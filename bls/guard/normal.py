# SPDX-License-Identifier: Apache-2.0
"""One plain spelling for many: the text as the guard's rules and its classifier read it.

Markup, entities, addresses of pages and `@names` go; look-alike letters, digits and symbols that
stand for letters, s p r e a d words and looong words become plain ones. Linear in the text.
"""

from __future__ import annotations

import html
import re

from bls.policy.fold import fold
from bls.policy.forms import with_letters
from bls.policy.words import closed_up, with_symbol_letters

_BREAK = re.compile(r"<(?:br|/?p|/?div|/?li|hr)\b[^<>]{0,200}>", re.IGNORECASE)
_TAG = re.compile(r"</?[a-zA-Z!][^<>]{0,200}>")
_LINK = re.compile(r"\]\([^()\s]{0,300}\)")
_URL = re.compile(r"(?:https?://|www\.)[^\s<>]{0,500}", re.IGNORECASE)
_HANDLE = re.compile(r"(?<![\w.])@\w{1,40}")
_MIXED = re.compile(r"(?<![^\W_])(?=[^\W_]*[0-9])(?=[^\W_]*[^\W\d_])[^\W_]{2,40}(?![^\W_])")
_AMOUNT = re.compile(r"[0-9]+[a-z]{1,2}|[a-z]{1,2}[0-9]+|[0-9]+(?:min|day|hrs|mph|ghz|mbps)")
_LONG_LETTER = re.compile(r"([^\W\d_])\1{2,}")
_LONG_MARK = re.compile(r"([^\w\s])\1{2,}")
_SPACES = re.compile(r"\s+")


def without_markup(text: str) -> str:
    """Entities read, tags and the targets of Markdown links gone."""
    if "&" in text:
        text = html.unescape(text)
    if "<" in text:
        text = _TAG.sub("", _BREAK.sub(" ", text))
    return _LINK.sub("", text).replace("[", "") if "](" in text else text


def normal(text: str) -> str:
    """`text` in small plain words, single spaces; may be empty."""
    text = _HANDLE.sub(" ", _URL.sub(" ", without_markup(text)))
    folded = with_symbol_letters(closed_up(fold(text)))
    lettered = with_symbol_letters(_MIXED.sub(_as_letters, folded))
    lettered = _LONG_LETTER.sub(r"\1", lettered)
    return _SPACES.sub(" ", _LONG_MARK.sub(r"\1", lettered)).strip()


def _as_letters(match: re.Match[str]) -> str:
    """Digits read as letters, but not in `4pm`, `b2` or `300mbps`."""
    word = match[0]
    return word if _AMOUNT.fullmatch(word) else next(with_letters(word), word)
