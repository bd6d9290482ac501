# SPDX-License-Identifier: Apache-2.0
"""The hub in this process: a bounded dictionary, ordered by last touch."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from numpy.typing import NDArray

from bls.brain.features import F32
from bls.brain.hub.feature_hub import unknown_window
from bls.brain.hub.stats import HubStats
from bls.brain.hub.window import Window
from bls.jsonlog import JsonLog
from bls.limits import LIMITS, Limits

_T = TypeVar("_T")


@dataclass
class _Held:
    window: Window
    touched: float


class DictHub:
    """A `FeatureHub`.

    Args:
        log: where `feature_hub.rotate.debug` lines go, one per token; None writes none.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        stats: HubStats | None = None,
        log: JsonLog | None = None,
        clock: Callable[[], float] = time.monotonic,
        limits: Limits = LIMITS,
    ) -> None:
        self.stats = stats or HubStats()
        self._log = log
        self._clock = clock
        self._limits = limits
        self._held: OrderedDict[str, _Held] = OrderedDict()
        self._lock = threading.Lock()

    def open(self, conv_id: str, ctx_vec: NDArray[Any], openings: Mapping[str, float]) -> None:
        self.put(conv_id, Window.opened(ctx_vec, openings))

    def push(self, conv_id: str, token_idx: int, w_minus: Mapping[str, float]) -> None:
        with self._lock:
            evicted = self._touch(conv_id).push(token_idx, w_minus)
            self.stats.rotations += len(evicted)
        if evicted and self._log is not None:
            self._log.write(
                "feature_hub.rotate.debug",
                conv_id=conv_id,
                token_idx=token_idx,
                oldest_evicted=evicted,
            )

    def features(self, conv_id: str, advertisers: Sequence[str]) -> F32:
        with self._lock:
            try:
                return self._touch(conv_id).features(advertisers)
            except KeyError:
                self.stats.unknown += 1
                raise unknown_window() from None

    def context(self, conv_id: str) -> F32:
        began = time.perf_counter()
        with self._lock:
            found = self._touch(conv_id).ctx_vec
            self.stats.ctx_hits += 1
            self.stats.ctx_hit_s += time.perf_counter() - began
        return found

    def close(self, conv_id: str) -> None:
        with self._lock:
            self._held.pop(conv_id, None)
            self._sweep()

    def stop(self) -> None:
        """Nothing to release."""

    def put(self, conv_id: str, window: Window) -> None:
        """Keep a window, in place of an older one; the hub's from now on."""
        with self._lock:
            self._held.pop(conv_id, None)
            if len(self._held) >= self._limits.hub_conversations:
                self._held.popitem(last=False)
                self.stats.overflows += 1
            self._held[conv_id] = _Held(window, self._clock())
            self._sweep()

    def read(self, conv_id: str, see: Callable[[Window], _T]) -> _T | None:
        """`see(window)` under the lock, without touching it; None when it is not here."""
        with self._lock:
            self._sweep()
            held = self._held.get(conv_id)
            return None if held is None else see(held.window)

    def has(self, conv_id: str) -> bool:
        """Whether the window is here; touches nothing."""
        return self.read(conv_id, lambda window: True) is not None

    def _touch(self, conv_id: str) -> Window:
        self._sweep()
        held = self._held.get(conv_id)
        if held is None:
            self.stats.unknown += 1
            raise unknown_window()
        held.touched = self._clock()
        self._held.move_to_end(conv_id)
        return held.window

    def _sweep(self) -> None:
        """Drop what nobody has touched for the time to live; the oldest touch comes first."""
        oldest = self._clock() - self._limits.hub_ttl_s
        while self._held and next(iter(self._held.values())).touched <= oldest:
            self._held.popitem(last=False)
            self.stats.ttl_evictions += 1
        self.stats.conversations = len(self._held)
