# SPDX-License-Identifier: Apache-2.0
"""The same cache in Redis, so that a conversation that moves to another server finds it there.

This process's own `DictCache` is asked first. Redis drops an entry by itself after 15 minutes; a
Redis that does not answer is left alone for a moment, and a summary is made anew.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from redis import Redis
from redis.exceptions import RedisError

from bls.condense.cache import DictCache, Key, Summary
from bls.contracts import SUMMARY_TOKENS
from bls.limits import LIMITS, Limits

_PREFIX = "skynet:condense"


class RedisCache:
    """A `SummaryCache`; `stats` are those of its own dict, with the errors of Redis."""

    def __init__(self, client: Redis, limits: Limits = LIMITS) -> None:
        self._local = DictCache(limits)
        self.stats = self._local.stats
        self._redis: Any = client
        self._life_ms = round(1e3 * limits.summary_cache_s)
        self._pause_s = limits.hub_retry_max_s
        self._away_until = 0.0

    def get(self, keys: Sequence[Key]) -> list[Summary | None]:
        found = self._local.get(keys)
        missing = [at for at, one in enumerate(found) if one is None]
        if not missing or self._away:
            return found
        try:
            values = self._redis.mget([_name(keys[at]) for at in missing])
        except RedisError:
            self._failed()
            return found
        pairs = zip(missing, map(_read, values), strict=True)
        taken = {at: summary for at, summary in pairs if summary}
        self.stats.hits += len(taken)
        self.stats.misses -= len(taken)
        return [taken.get(at, one) for at, one in enumerate(found)]

    def put(self, summaries: Mapping[Key, Summary]) -> None:
        self._local.put(summaries)
        if self._away or not summaries:
            return
        try:
            with self._redis.pipeline(transaction=False) as line:
                for key, summary in summaries.items():
                    value = np.asarray(summary, np.int32).tobytes()
                    line.set(_name(key), value, px=self._life_ms)
                line.execute()
        except RedisError:
            self._failed()

    @property
    def _away(self) -> bool:
        return time.monotonic() < self._away_until

    def _failed(self) -> None:
        self.stats.errors += 1
        self._away_until = time.monotonic() + self._pause_s


def _name(key: Key) -> str:
    return f"{_PREFIX}:{key.owner}:{key.window}"


def _read(value: bytes | None) -> Summary | None:
    """A value that is none of ours counts as absent."""
    if not value or len(value) % 4 or len(value) > 4 * SUMMARY_TOKENS:
        return None
    return tuple(np.frombuffer(value, np.int32).tolist())
