# SPDX-License-Identifier: Apache-2.0
"""Replies that are being written, by `conv_id`: where a bid update finds its reply.

A `conv_id` names one live reply at most. A second reply under the same name is refused, so that an
update can never reach a reply it was not meant for.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from bls.bidding import LiveBidder
from bls.errors import SkynetError
from bls.limits import LIMITS
from bls.reply.score import LiveScore


class _Entry:
    """One live reply and when its last updates came."""

    def __init__(self, bidder: LiveBidder, score: LiveScore) -> None:
        self.bidder, self.score = bidder, score
        self.recent: deque[float] = deque(maxlen=LIMITS.bid_updates_per_s)


class LiveReplies:
    """Safe to use from any thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._entries: dict[str, _Entry] = {}
        self._lock = threading.Lock()

    @contextmanager
    def holding(
        self, conv_id: str, bidder: LiveBidder, score: LiveScore | None = None
    ) -> Iterator[None]:
        """Live while the block runs. Raises `conversation_live` when the name is taken."""
        with self._lock:
            if conv_id in self._entries:
                raise SkynetError(
                    "conversation_live", "A reply with this conv_id is being written.", 409
                )
            self._entries[conv_id] = _Entry(bidder, score or LiveScore())
        try:
            yield
        finally:
            with self._lock:
                del self._entries[conv_id]

    def update(self, conv_id: str, bids: Mapping[str, float]) -> int:
        """Replace bids; the index of the first token they count for.

        Raises `conversation_not_found`, `unknown_advertiser` or `too_many_updates`.
        """
        with self._lock:
            entry = self._entries.get(conv_id)
            if entry is None:
                raise _not_found()
            now = self._clock()
            recent = entry.recent
            if len(recent) == recent.maxlen and now - recent[0] < 1.0:
                raise SkynetError(
                    "too_many_updates",
                    f"At most {recent.maxlen} bid updates per second and reply.",
                    429,
                )
            applied_from = entry.bidder.update(bids)
            recent.append(now)
            return applied_from

    def rescore(self, conv_id: str, score: float) -> int:
        """Replace f(tau) of the reply's shop session; the index of the first token it counts for.

        Raises `conversation_not_found`. The gateway alone asks, one at a time and reply.
        """
        with self._lock:
            entry = self._entries.get(conv_id)
            if entry is None:
                raise _not_found()
            entry.score.value = score
            return entry.bidder.next


def _not_found() -> SkynetError:
    return SkynetError("conversation_not_found", "No such reply is being written.", 404)
