# SPDX-License-Identifier: Apache-2.0
"""What `agent_score` reads of a session, kept up to date in O(1) an event.

Layouts are in `bls/contracts.py`: TRANSITIONS f32 [15, 14] and STATS f32 [16] (`SessionStat`). A
session is not kept for it: counts, sums, and which items were seen at what price. Events are taken
in the order they come; a clock that goes back counts as standing still.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cache

import numpy as np
from numpy.typing import NDArray

from bls.contracts import SessionStat
from bls.limits import LIMITS
from bls.phantom.actions import ACTIONS, NAMES, Category
from bls.phantom.kernels import FIRST, STATES, number
from bls.phantom.session import Mode, Quote, Session, SessionEvent
from bls.phantom.shop import catalogue

F32 = NDArray[np.float32]

_CATEGORY = tuple(ACTIONS[name] for name in NAMES)
_VIEW = NAMES.index("view_item")


class _Spread:
    """Mean and standard deviation of numbers as they come (Welford)."""

    __slots__ = ("_count", "_square", "mean")

    def __init__(self) -> None:
        self._count, self.mean, self._square = 0, 0.0, 0.0

    def add(self, value: float) -> None:
        self._count += 1
        away = value - self.mean
        self.mean += away / self._count
        self._square += away * (value - self.mean)

    @property
    def deviation(self) -> float:
        """Of the population; 0 without numbers."""
        return math.sqrt(self._square / self._count) if self._count else 0.0


@cache
def places(mode: Mode) -> Mapping[str, int]:
    """item -> its place in the shipped catalogue of a mode. Raises as `catalogue`."""
    return {item: at for at, item in enumerate(catalogue(mode).items)}


class SessionFeatures:
    """Of one session; not for several threads at once.

    Args:
        order: item -> place in the catalogue (`places`); empty leaves QUOTED and SEQUENTIAL at 0.
    """

    def __init__(self, order: Mapping[str, int] | None = None) -> None:
        self._order = order or {}
        self._counts = np.zeros((STATES + 1, STATES), np.float32)
        self._acts = [0] * STATES
        self._kinds = dict.fromkeys(Category, 0)
        self._before = FIRST
        self._first_ms = self._last_ms = 0
        self._gaps, self._dwells = _Spread(), _Spread()
        self._items: set[str] = set()
        self._item = self._viewed = ""
        self._revisits = self._steps = self._priced = self._dearer = self._next = 0
        self._prices: dict[str, int] = {}
        self._quotes = self._quoted = 0
        self.events = 0

    @classmethod
    def of(cls, session: Session, order: Mapping[str, int] | None = None) -> SessionFeatures:
        """Of a whole session, its quotes and events told in the order of their times.

        A quote comes before an event of the same millisecond: the page shows it first.
        """
        found = cls(order)
        told: list[SessionEvent | Quote] = [*session.quotes, *session.events]
        for one in sorted(told, key=lambda each: each.ts_ms):  # stable: quotes stay before
            found.tell(one)
        return found

    def tell(self, one: SessionEvent | Quote) -> None:
        """`push` or `quoted`."""
        if isinstance(one, Quote):
            self.quoted(one)
        else:
            self.push(one)

    def push(self, event: SessionEvent) -> None:
        """One act more."""
        now = number(event.action)
        self._counts[self._before, now] += 1
        self._before = now
        self._acts[now] += 1
        self._kinds[_CATEGORY[now]] += 1
        self._time(event.ts_ms)
        if _CATEGORY[now] is Category.DWELL:
            self._dwells.add(math.log1p(max(event.dwell_ms, 0)))
        if event.item:
            self._on(event.item, now == _VIEW)
        self.events += 1

    def quoted(self, quote: Quote) -> None:
        """One price more was shown."""
        self._quotes += 1
        known = quote.item in self._prices
        if not known and len(self._prices) >= LIMITS.session_events:
            return
        self._quoted += not known and quote.item in self._order
        self._prices[quote.item] = quote.price_micros

    def transitions(self) -> F32:
        """TRANSITIONS [15, 14], a copy."""
        return self._counts.copy()

    def stats(self) -> F32:
        """STATS [16]; all 0 before the first event and quote."""
        row = np.zeros(len(SessionStat), np.float32)
        row[SessionStat.EVENTS] = self.events
        row[SessionStat.ITEMS] = len(self._items)
        row[SessionStat.GAP_MEAN] = self._gaps.mean
        row[SessionStat.GAP_SPREAD] = self._gaps.deviation
        row[SessionStat.DWELL_MEAN] = self._dwells.mean
        row[SessionStat.DWELL_SPREAD] = self._dwells.deviation
        row[SessionStat.SPAN] = math.log1p((self._last_ms - self._first_ms) / 1000)
        row[SessionStat.QUOTES] = math.log1p(self._quotes)
        row[SessionStat.QUOTED] = _share(self._quoted, len(self._order))
        row[SessionStat.ASCENDING] = _share(self._dearer, self._priced)
        row[SessionStat.SEQUENTIAL] = _share(self._next, self._steps)
        row[SessionStat.REVISITS] = _share(self._revisits, self.events)
        row[SessionStat.DWELLS] = _share(self._kinds[Category.DWELL], self.events)
        row[SessionStat.CART] = _share(self._kinds[Category.CART], self.events)
        row[SessionStat.FILTERS] = _share(self._kinds[Category.FILTER], self.events)
        row[SessionStat.ENTROPY] = self._entropy()
        return row

    def _time(self, ts_ms: int) -> None:
        if not self.events:
            self._first_ms = self._last_ms = ts_ms
            return
        self._gaps.add(math.log1p(max(ts_ms - self._last_ms, 0)))
        self._last_ms = max(self._last_ms, ts_ms)

    def _on(self, item: str, view: bool) -> None:
        self._revisits += item in self._items and item != self._item
        self._items.add(item)
        self._item = item
        if not view:
            return
        if self._viewed and self._viewed != item:
            self._step(self._viewed, item)
        self._viewed = item

    def _step(self, left: str, item: str) -> None:
        """From one viewed item to another; prices are those shown last."""
        self._steps += 1
        before, after = self._order.get(left), self._order.get(item)
        self._next += before is not None and after == before + 1
        if left in self._prices and item in self._prices:
            self._priced += 1
            self._dearer += self._prices[item] > self._prices[left]

    def _entropy(self) -> float:
        if not self.events:
            return 0.0
        told = sum(count * math.log(count) for count in self._acts if count)
        return max(math.log(self.events) - told / self.events, 0.0)


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
