# SPDX-License-Identifier: Apache-2.0
"""Prices that sessions were given: the same one again for a while, in bounded memory."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from bls.phantom.shop import Item


@dataclass(frozen=True, slots=True)
class Given:
    """One price as a session was given it.

    Attributes:
        policy: `session_price`, `static` or `base`.
        version: of the model behind it, 16 hex digits; empty where none answered.
        until: seconds; the session is given nothing else before.
        times: how often it was given any price of this item.
    """

    item: Item
    price_micros: int
    policy: str
    version: str
    until: float
    times: int = 1


class HeldPrices:
    """Of the sessions that asked last.

    Args:
        most: prices kept; the one asked for longest ago goes first.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._given: OrderedDict[tuple[str, str], Given] = OrderedDict()

    def __len__(self) -> int:
        return len(self._given)

    def last(self, session: str, item: Item) -> Given | None:
        """What the session was given last for it, still held or not."""
        found = self._given.get((session, item.item))
        if found is None or (found.item is not item and found.item != item):
            return None
        return found

    def put(self, session: str, given: Given) -> None:
        key = session, given.item.item
        self._given[key] = given
        self._given.move_to_end(key)
        if len(self._given) > self._most:
            self._given.popitem(last=False)
