# SPDX-License-Identifier: Apache-2.0
"""A place in a stream: which of its files, and how far into it."""

from __future__ import annotations

from typing import NamedTuple

OFFSET_BITS = 40
_MASK = (1 << OFFSET_BITS) - 1


class Place(NamedTuple):
    """Behind the last line that counts as read.

    Attributes:
        segment: number of the file; the one being written has the number it will be sealed with.
        offset: bytes.
    """

    segment: int
    offset: int

    @property
    def seq(self) -> int:
        """Rises along a stream for ever; a line's is that of the place behind it."""
        return self.segment << OFFSET_BITS | self.offset

    @classmethod
    def of(cls, seq: int) -> Place:
        return cls(seq >> OFFSET_BITS, seq & _MASK)


START = Place(0, 0)
"""Before everything there is."""
