# SPDX-License-Identifier: Apache-2.0
"""Summaries of windows seen in the last 15 minutes (CG-U-09).

A key is two salted hashes: whose it is, and which window by which summariser. Nothing of a chat can
be read from it, and the same words under another salt have another key. What a deleted conversation
left here is gone 15 minutes after it was made (CG-S-02).
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np

from bls.condense.stats import CacheStats
from bls.limits import LIMITS, Limits
from bls.policy.rule_file import rules_sha256
from export.manifest import MANIFEST_NAME, file_sha256

Summary = tuple[int, ...]
_BYTES = 16


class Key(NamedTuple):
    """Hex digests: of the salt, and of the window."""

    owner: str
    window: str


def owner_of(salt: int) -> str:
    """What stands for a salt in keys and logs."""
    return hashlib.blake2b(_number(salt), digest_size=_BYTES, person=b"condense-owner").hexdigest()


def key_of(salt: int, window: Sequence[int], made_by: str) -> Key:
    """`made_by` names summariser and rules: another one's summaries are not taken for its own."""
    tokens = np.asarray(window, np.int32).tobytes()
    digest = hashlib.blake2b(tokens, digest_size=_BYTES, key=_number(salt), person=b"condense")
    digest.update(made_by.encode())
    return Key(owner_of(salt), digest.hexdigest())


def made_by(summariser: Path, policy_model: str = "", policy_rules: str = "") -> str:
    """What names a summariser's version and all that masks its summaries: the built-in rules, the
    operator's, and the classifier. Raises `bad_policy_rules`, `OSError`."""
    parts = [file_sha256(summariser / MANIFEST_NAME), rules_sha256(policy_rules)]
    if policy_model:
        parts.append(file_sha256(Path(policy_model) / MANIFEST_NAME))
    return ":".join(parts)


def _number(salt: int) -> bytes:
    return (salt % (1 << 64)).to_bytes(8, "little")


class SummaryCache(Protocol):
    """Usable from several threads; none of its methods raises."""

    stats: CacheStats

    def get(self, keys: Sequence[Key]) -> list[Summary | None]: ...

    def put(self, summaries: Mapping[Key, Summary]) -> None: ...


class DictCache:
    """In this process; the oldest go when there are too many.

    Args:
        clock: seconds; what is older than `summary_cache_s` is gone.
    """

    def __init__(
        self, limits: Limits = LIMITS, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.stats = CacheStats()
        self._life_s, self._most = limits.summary_cache_s, limits.summary_cache
        self._clock = clock
        self._held: OrderedDict[Key, tuple[float, Summary]] = OrderedDict()  # oldest first
        self._lock = threading.Lock()

    def get(self, keys: Sequence[Key]) -> list[Summary | None]:
        with self._lock:
            self._expire()
            found = [held[1] if (held := self._held.get(key)) else None for key in keys]
        hits = sum(one is not None for one in found)
        self.stats.hits += hits
        self.stats.misses += len(keys) - hits
        return found

    def put(self, summaries: Mapping[Key, Summary]) -> None:
        now = self._clock()
        with self._lock:
            for key, summary in summaries.items():
                self._held.pop(key, None)
                self._held[key] = (now, summary)
            self._expire()

    def _expire(self) -> None:
        oldest = self._clock() - self._life_s
        while self._held:
            made, _ = self._held[next(iter(self._held))]
            if made > oldest and len(self._held) <= self._most:
                break
            self._held.popitem(last=False)
            self.stats.evictions += 1
        self.stats.entries = len(self._held)


def open_cache(url: str, limits: Limits = LIMITS) -> SummaryCache:
    """The cache of setting `redis`; empty keeps it in this process. Raises `bad_setting`."""
    if not url:
        return DictCache(limits)
    from bls.brain.hub.redis_client import connect  # noqa: PLC0415 (0.2 s, only where needed)
    from bls.condense.redis_cache import RedisCache  # noqa: PLC0415

    return RedisCache(connect(url, limits), limits)
