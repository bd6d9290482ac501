# SPDX-License-Identifier: Apache-2.0
"""Keys that were right when they were last looked up, by their hash, in bounded memory.

They open nothing: they only spare their owners the rate that wrong keys share.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict

_KEYS = 10_000


class RightKeys:
    """Only the event loop calls it."""

    def __init__(self, keys: int = _KEYS) -> None:
        self._keys = keys
        self._known: OrderedDict[bytes, None] = OrderedDict()

    def knows(self, key: str) -> bool:
        """Whether it was right."""
        return _hash(key) in self._known

    def note(self, key: str, *, right: bool) -> None:
        """What a look-up has just said."""
        self._known.pop(_hash(key), None)
        if right:
            self._known[_hash(key)] = None
        if len(self._known) > self._keys:
            self._known.popitem(last=False)


def _hash(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()
