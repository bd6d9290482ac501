# SPDX-License-Identifier: Apache-2.0
"""A short name of a model version, small enough to travel with every token and event.

It is the first 64 bits of the SHA-256 of the version's manifest: a number in tensors (`SERVED`), 16
hex digits in events.
"""

from __future__ import annotations

from functools import lru_cache

_DIGITS = 16


@lru_cache(64)
def served_id(sha256: str) -> int:
    """The number of a version, from its hex SHA-256."""
    return int(sha256[:_DIGITS], 16)


@lru_cache(64)
def served_name(number: int) -> str:
    """The same as events say it."""
    return f"{number:0{_DIGITS}x}"
