# SPDX-License-Identifier: Apache-2.0
"""Terminal colours: one per advertiser, the same in every reply; none where none are wanted."""

from __future__ import annotations

import os
import re
import zlib
from collections.abc import Iterable
from typing import TextIO

_COLOURS = (33, 208, 35, 170, 178, 44, 203, 99)  # xterm-256, legible on dark and light
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def wants_colour(out: TextIO) -> bool:
    """A terminal, and no `NO_COLOR` (https://no-color.org)."""
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return out.isatty() and not plain


def printable(text: str) -> str:
    """`text` without control characters: a reply must not steer the terminal."""
    return _CONTROL.sub("", text)


class Palette:
    """Colours for the advertisers of one reply."""

    def __init__(self, enabled: bool, advertisers: Iterable[str] = ()):
        self._enabled = enabled
        self._colours: dict[str, int] = {}
        for name in sorted(advertisers):
            self._colours[name] = self._pick(name)

    def _pick(self, name: str) -> int:
        """By name, so it is stable; the next free one when two names meet."""
        first = zlib.crc32(name.encode()) % len(_COLOURS)
        taken = set(self._colours.values())
        order = [*_COLOURS[first:], *_COLOURS[:first]]
        return next((colour for colour in order if colour not in taken), order[0])

    def paint(self, text: str, advertiser: str | None) -> str:
        """`text` in the advertiser's colour; unchanged without one."""
        colour = self._colours.get(advertiser or "")
        if not self._enabled or colour is None or not text:
            return text
        return f"\x1b[1;38;5;{colour}m{text}\x1b[0m"

    def dim(self, text: str) -> str:
        """`text`, less prominent."""
        return f"\x1b[2m{text}\x1b[0m" if self._enabled else text
