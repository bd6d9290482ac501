# SPDX-License-Identifier: Apache-2.0
"""Prompts already computed, kept so the next turn of a conversation need not compute them again.

Only positions that were *prefilled* are kept, never generated ones: prefill gives the same bits
however a prompt is cut, decode steps do not, and reuse must never change a reply. A `salt` keeps
users apart: a prompt is reused only under the salt that computed it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bls.llm.kv_cache import KVCache
from export.manifest import LLMManifest


def common_prefix(a: Sequence[int], b: Sequence[int]) -> int:
    """Length of the longest common prefix."""
    for index, (x, y) in enumerate(zip(a, b, strict=False)):
        if x != y:
            return index
    return min(len(a), len(b))


@dataclass
class _Entry:
    salt: int
    tokens: tuple[int, ...]
    row: int
    used_at: float


class PrefixStore:
    """At most `slots` prompts of at most `length` tokens, least recently used out first."""

    def __init__(
        self,
        manifest: LLMManifest,
        slots: int,
        length: int,
        idle_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._cache = KVCache(manifest, slots, length)
        self._entries: list[_Entry] = []
        self._free = list(range(slots))
        self._idle_s = idle_s
        self._clock = clock

    def __len__(self) -> int:
        return len(self._entries)

    def load(self, salt: int, tokens: Sequence[int], into: KVCache, row: int) -> int:
        """Copy the longest stored prefix of `tokens` into a row; how many positions it filled."""
        self.expire()
        best, reused = None, 0
        for entry in self._entries:
            if entry.salt == salt and (n := common_prefix(entry.tokens, tokens)) > reused:
                best, reused = entry, n
        if best is not None:
            best.used_at = self._clock()
            into.copy_row(self._cache, best.row, row, reused)
        return reused

    def save(self, salt: int, tokens: Sequence[int], source: KVCache, row: int) -> None:
        """Keep a prefilled row; a stored prompt that this one extends is replaced."""
        kept = tuple(tokens[: self._cache.length])
        now = self._clock()
        for entry in list(self._entries):
            if entry.salt == salt:
                shared = common_prefix(entry.tokens, kept)
                if shared == len(kept):
                    entry.used_at = now
                    return
                if shared == len(entry.tokens):
                    self._drop(entry)
        if not self._free:
            self._drop(min(self._entries, key=lambda entry: entry.used_at))
        slot = self._free.pop()
        self._cache.copy_row(source, row, slot, len(kept))
        self._entries.append(_Entry(salt, kept, slot, now))

    def expire(self) -> int:
        """Drop what was not used for `idle_s`; how many went."""
        deadline = self._clock() - self._idle_s
        old = [entry for entry in self._entries if entry.used_at < deadline]
        for entry in old:
            self._drop(entry)
        return len(old)

    def _drop(self, entry: _Entry) -> None:
        self._entries.remove(entry)
        self._free.append(entry.row)
