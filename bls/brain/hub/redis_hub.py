# SPDX-License-Identifier: Apache-2.0
"""The hub with a copy in Redis 7, so that another server can go on with a conversation.

The working copy is this process's `DictHub`: Redis is written behind and read only when a
conversation is unknown here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from numpy.typing import NDArray
from redis import Redis

from bls.brain.features import F32
from bls.brain.hub import codec
from bls.brain.hub.dict_hub import DictHub
from bls.brain.hub.redis_line import RedisLine
from bls.brain.hub.window import Window
from bls.limits import LIMITS, Limits


class RedisHub:
    """A `FeatureHub`. `local` is its working copy, and has its counters."""

    def __init__(self, client: Redis, local: DictHub, limits: Limits = LIMITS) -> None:
        self.stats = local.stats
        self._local = local
        self._line = RedisLine(client, self._snapshot, self.stats, limits)

    def open(self, conv_id: str, ctx_vec: NDArray[Any], openings: Mapping[str, float]) -> None:
        self._local.open(conv_id, ctx_vec, openings)
        self._line.changed(conv_id)

    def push(self, conv_id: str, token_idx: int, w_minus: Mapping[str, float]) -> None:
        self._find(conv_id)
        self._local.push(conv_id, token_idx, w_minus)
        self._line.changed(conv_id)

    def features(self, conv_id: str, advertisers: Sequence[str]) -> F32:
        self._find(conv_id)
        return self._local.features(conv_id, advertisers)

    def context(self, conv_id: str) -> F32:
        self._find(conv_id)
        return self._local.context(conv_id)

    def close(self, conv_id: str) -> None:
        self._local.close(conv_id)
        self._line.closed(conv_id)

    def stop(self) -> None:
        self._line.stop()

    def _find(self, conv_id: str) -> None:
        """Take a conversation over from another server, if it was there."""
        if self._local.has(conv_id) or (text := self._line.fetch(conv_id)) is None:
            return
        try:
            window = codec.decode(text)
        except ValueError:
            self.stats.redis_bad_values += 1
            return
        self._local.put(conv_id, window)
        self.stats.redis_takeovers += 1

    def _snapshot(self, conv_id: str) -> bytes | None:
        window = self._local.read(conv_id, Window.copy)
        return None if window is None else codec.encode(window)
