# SPDX-License-Identifier: Apache-2.0
"""How often a conversation has seen a campaign: counts that are forgotten after a while.

In this process only, under a hash of the conversation, of a bounded number of conversations; the
one that was counted longest ago goes first.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

CONVERSATIONS = 65_536
FORGET_S = 86_400.0

_NONE: Mapping[str, int] = Counter()


@dataclass
class _Seen:
    """Attributes:
    last: request that was counted last: one that is asked again counts once.
    """

    until: float
    last: str = ""
    counts: Counter[str] = field(default_factory=Counter)


class FrequencyCaps:
    """Usable from several threads.

    Args:
        size: conversations remembered.
        forget_s: after the last count of a conversation.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        size: int = CONVERSATIONS,
        forget_s: float = FORGET_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._size, self._forget_s, self._clock = size, forget_s, clock
        self._seen: OrderedDict[bytes, _Seen] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._seen)

    def counts(self, conv_id: str) -> Mapping[str, int]:
        """Replies of this conversation that carried a campaign, by campaign id."""
        with self._lock:
            seen = self._seen.get(_key(conv_id))
            if seen is None or seen.until <= self._clock():
                return _NONE
            return Counter(seen.counts)

    def add(self, conv_id: str, request_id: str, campaigns: Iterable[str]) -> None:
        """One more reply of the conversation carries these campaigns."""
        with self._lock:
            key, now = _key(conv_id), self._clock()
            seen = self._seen.pop(key, None)
            if seen is None or seen.until <= now:
                seen = _Seen(now)
            self._seen[key] = seen
            seen.until = now + self._forget_s
            if seen.last != request_id:
                seen.last = request_id
                seen.counts.update(set(campaigns))
            while self._seen and self._old(now):
                self._seen.popitem(last=False)

    def _old(self, now: float) -> bool:
        """The conversation that was counted longest ago has to go."""
        return len(self._seen) > self._size or next(iter(self._seen.values())).until <= now


def _key(conv_id: str) -> bytes:
    return hashlib.blake2b(conv_id.encode(), digest_size=16).digest()
