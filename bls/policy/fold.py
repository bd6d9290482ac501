# SPDX-License-Identifier: Apache-2.0
"""Folds text to the plain letters a reader sees, so that one spelling of a rule catches many.

Compatibility forms (NFKC's decompositions), case, accents, characters without width, characters
that look like Latin ones, and the marks that split words in Markdown. Folding works character
by character: `fold(a + b) == fold(a) + fold(b)`, so a place in the text has one in the folded text.
"""

from __future__ import annotations

import unicodedata

_LOOKALIKES = {
    # Cyrillic
    **dict(zip("авекмнорстухіјѕһԁԛԝґ", "abekmhopctyxijshdqwr", strict=True)),
    # Greek
    **dict(zip("αβεηικνορτυχω", "abenikvoptuxw", strict=True)),
    # Latin letters of other shapes: small capitals, script and barred letters
    **dict(zip("ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘʀꜱᴛᴜᴠᴡʏᴢ", "abcdefghijklmnoprstuvwyz", strict=True)),
    **dict(zip("ıɑɡøđłħŧɩɐɔ", "iagodlhtiac", strict=True)),
}
_DROPPED = frozenset("'*~`_\u2019\u02bc\u115f\u1160\u3164")
_WITHOUT_WIDTH = frozenset({"Mn", "Me", "Cf"})
_LETTER_BOXES = (0x1F150, 0x1F170)
"""First of the white-on-black circled and squared alphabets, which have no decomposition."""


class _Folds(dict[int, str]):
    """Code point -> its folded text, worked out when it is first seen."""

    def __missing__(self, code: int) -> str:
        folded = self[code] = _fold_character(chr(code))
        return folded


def _fold_character(character: str) -> str:
    category = unicodedata.category(character)
    if character in _DROPPED or category in _WITHOUT_WIDTH:
        return ""
    if category == "Pd" or character == "\u2212":
        return "-"
    if category == "Nd":
        return str(unicodedata.digit(character))
    for first in _LETTER_BOXES:
        if 0 <= ord(character) - first < 26:
            return chr(ord("a") + ord(character) - first)
    return _LOOKALIKES.get(character, character)


_FOLDS = _Folds()


def fold(text: str) -> str:
    """`text` in plain small letters. Linear in its length: marks, which normalising would sort,
    go first."""
    if not text.isascii():
        text = unicodedata.normalize("NFKD", text.translate(_FOLDS))
    return text.casefold().translate(_FOLDS)
