# SPDX-License-Identifier: Apache-2.0
"""Entries of one session and kind that wait for the gateway, a price once: as it was shown last.

What the visitor saw last has to be the last record. A price that is shown again while the same one
waits is told as the newer showing, after what came between. One that is under way may be taken as
it was shown then, so the new showing waits beside it; if it is not taken, it waits no longer. An
id is of one showing, so the gateway never gets one id with two times.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

Entry = dict[str, Any]


@dataclass
class Waiting:
    """Oldest first; none is sent before `until`. Those under way are at the front.

    `shown`: prices that wait and are not under way, by item and price.
    """

    user_agent: str
    pause_s: float
    until: float = 0.0
    entries: deque[Entry] = field(default_factory=deque)
    shown: dict[tuple[Any, Any], Entry] = field(default_factory=dict)

    def add(self, entry: Entry) -> None:
        self.entries.append(entry)
        if (price := _price(entry)) is not None:
            self.shown[price] = entry

    def again(self, entry: Entry) -> bool:
        """Put a price last, in place of the same one that waits; False: none does."""
        price = _price(entry)
        if price is None or price not in self.shown:
            return False
        self._remove(self.shown[price])
        self.add(entry)
        return True

    def hand_out(self, most: int) -> list[Entry]:
        """The oldest ones, which are under way from now on; they stay at the front."""
        first = list(islice(self.entries, most))
        for entry in first:
            if (price := _price(entry)) is not None:
                del self.shown[price]
        return first

    def take_back(self, entries: Iterable[Entry]) -> int:
        """They were not taken and wait again, but for those shown again meanwhile: so many."""
        left = 0
        for entry in entries:
            price = _price(entry)
            if price is None:
                continue
            if price in self.shown:
                self._remove(entry)
                left += 1
            else:
                self.shown[price] = entry
        return left

    def _remove(self, entry: Entry) -> None:
        del self.entries[next(n for n, one in enumerate(self.entries) if one is entry)]


def _price(entry: Entry) -> tuple[Any, Any] | None:
    """What a price says but for when; None of an act."""
    return (entry["item"], entry["price_micros"]) if "price_micros" in entry else None
