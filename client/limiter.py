# SPDX-License-Identifier: Apache-2.0
"""So many requests a second for each advertiser, session or address, in bounded memory."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

from bls.errors import SkynetError

_NAMES = 10_000


class Limiter:
    """A bucket of tokens each: `per_s` flow in, `per_s` fit. Only the event loop calls it.

    Args:
        names: buckets kept; the one asked for longest ago goes first, and is full when it returns.
        clock: seconds that never go back.
    """

    def __init__(
        self, per_s: float, names: int = _NAMES, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._per_s, self._names, self._clock = per_s, names, clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def check(self, name: str) -> None:
        """Raise as `take` would, and take nothing."""
        if self._tokens(name, self._clock()) < 1:
            raise _limited()

    def take(self, name: str) -> None:
        """Raise `rate_limited` (429) when `name` has had its share of this second."""
        now = self._clock()
        tokens = self._tokens(name, now)
        self._buckets.pop(name, None)
        allowed = tokens >= 1
        self._buckets[name] = (tokens - 1 if allowed else tokens, now)
        if len(self._buckets) > self._names:
            self._buckets.popitem(last=False)
        if not allowed:
            raise _limited()

    def _tokens(self, name: str, now: float) -> float:
        tokens, at = self._buckets.get(name, (self._per_s, now))
        return min(self._per_s, tokens + (now - at) * self._per_s)


def _limited() -> SkynetError:
    return SkynetError("rate_limited", "Too many requests.", 429)
