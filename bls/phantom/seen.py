# SPDX-License-Identifier: Apache-2.0
"""Ids of events that were taken, remembered for a day and in bounded memory.

It outlives the sessions: an event that is told again after its session went idle is known still.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict


class Seen:
    """Only the event loop calls it.

    Args:
        most: ids kept; the oldest go first.
        age_s: and after so long.
    """

    def __init__(self, most: int, age_s: float) -> None:
        self._most, self._age_s = most, age_s
        self._known: OrderedDict[bytes, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._known)

    def knows(self, kind: str, sid: str, name: str) -> bool:
        return _key(kind, sid, name) in self._known

    def note(self, kind: str, sid: str, name: str, now: float) -> None:
        """Taken at `now`, Unix seconds, which does not fall from call to call."""
        self._known[_key(kind, sid, name)] = now
        while len(self._known) > self._most or next(iter(self._known.values())) < now - self._age_s:
            self._known.popitem(last=False)


def _key(kind: str, sid: str, name: str) -> bytes:
    """Ids have no newline."""
    return hashlib.blake2b(f"{kind}\n{sid}\n{name}".encode(), digest_size=16).digest()
