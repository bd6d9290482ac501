# SPDX-License-Identifier: Apache-2.0
"""A browser visit as the shop gets to know it: pages asked for, and hovers that its script told."""

from __future__ import annotations

import json
import time
from typing import Any

from bls.phantom.actions import ACTIONS
from bls.phantom.session import Quote, SessionEvent
from pipelines_dagster.phantom.traffic.view import View


class Diary:
    """Times are Unix seconds until `events` and `quotes` tell them.

    Args:
        speed: of the visit; told times are what it would have taken at speed 1.
    """

    def __init__(self, speed: float) -> None:
        self._speed = speed
        self._began = time.time()
        self.start_ms = int(1e3 * self._began)
        self._events: list[tuple[float, str, str, int]] = []
        self._quotes: list[tuple[float, str, int]] = []
        self._known: set[str] = set()

    def __len__(self) -> int:
        return len(self._events)

    def act(self, at: float, action: str, item: str = "") -> None:
        if not self._events:
            self._began = at
        self._events.append((at, action, item, 0))

    def quoted(self, view: View) -> None:
        """Prices of a list and of an item's page; later pages repeat them."""
        if view.place in ("list", "item"):
            now = time.time()
            self._quotes += [(now, one.item, one.price_micros) for one in view.items]

    def posted(self, batches: list[tuple[float, str]]) -> None:
        """What the page's script told, and when. Nonsense is the shop's to refuse."""
        for now, body in batches:
            try:
                for one in json.loads(body)["events"]:
                    self._hovered(one, now)
            except (ValueError, KeyError, TypeError):
                continue

    def _hovered(self, told: dict[str, Any], now: float) -> None:
        if told["event_id"] in self._known or told["action"] not in ACTIONS:
            return
        self._known.add(told["event_id"])
        at = now - float(told.get("ago_ms", 0)) / 1e3
        self._events.append((at, told["action"], told.get("item", ""), int(told["dwell_ms"])))

    def events(self) -> tuple[SessionEvent, ...]:
        """In the order of time."""
        return tuple(
            SessionEvent(action, item, self._ms(at), int(dwell * self._speed))
            for at, action, item, dwell in sorted(self._events, key=lambda one: one[0])
        )

    def quotes(self) -> tuple[Quote, ...]:
        """In the order of time."""
        return tuple(Quote(item, price, self._ms(at)) for at, item, price in self._quotes)

    def _ms(self, at: float) -> int:
        return self.start_ms + max(0, int(1e3 * self._speed * (at - self._began)))
