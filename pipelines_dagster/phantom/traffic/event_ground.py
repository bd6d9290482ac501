# SPDX-License-Identifier: Apache-2.0
"""Traffic without a browser: drivers in a shop in memory, on a simulated clock."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random

from bls.limits import LIMITS
from bls.phantom.session import Session, SessionEvent
from bls.phantom.shop import Catalogue
from pipelines_dagster.phantom.traffic.driver import Driver, Enter
from pipelines_dagster.phantom.traffic.prices import Price, surge_price
from pipelines_dagster.phantom.traffic.shelf import Shelf
from pipelines_dagster.phantom.traffic.stall import Stall
from pipelines_dagster.phantom.traffic.view import Act

START_MS = 1_767_225_600_000
"""2026-01-01: the simulated fortnight begins."""
_SPAN_MS = 14 * 86_400_000
_LOADS = frozenset({"page_view", "view_item", "search", "filter_date", "filter_price", "sort"})
_ADVERTS = 6


@dataclass(frozen=True)
class EventGround:
    """Runs trips.

    Args:
        most: acts of a session at which it is cut, however its driver would go on.
    """

    shop: Catalogue
    price: Price = surge_price
    most: int = 400
    _shelf: Shelf = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_shelf", Shelf(self.shop))

    def sessions(self, driver: Driver, seed: str) -> Iterator[Session]:
        """The sessions of one trip. Equal seeds make equal trips.

        Raises:
            SkynetError: what the driver fails with; `impossible_act` from a driver at fault.
        """
        rng = Random(f"{seed}/{driver.name}")
        clock = START_MS + rng.randrange(_SPAN_MS)
        for number, enter in enumerate(driver.trip(self.shop, rng)):
            sid = hashlib.sha256(f"{seed}/{driver.name}/{number}".encode()).hexdigest()[:20]
            session = self._session(driver, enter, sid, clock, rng)
            yield session
            last = session.events[-1].ts_ms
            clock = last + int(60_000 * rng.lognormvariate(3.0, 1.5))

    def _session(
        self, driver: Driver, enter: Enter, sid: str, start_ms: int, rng: Random
    ) -> Session:
        names = tuple(self.shop.items)
        stall = Stall(self._shelf, self.price, rng.sample(names, min(_ADVERTS, len(names))))
        most = min(self.most, LIMITS.session_events)
        clock, events = start_ms, []
        visit = enter(stall.view)
        try:
            act = next(visit)
            while True:
                clock += act.think_ms if events else 0
                events.append(SessionEvent(stall.records(act), act.item, clock, act.dwell_ms))
                clock += act.dwell_ms + _load_ms(act, rng)
                view = stall.perform(act, clock)
                if len(events) == most:
                    visit.close()
                    break
                act = visit.send(view)
        except StopIteration:
            pass
        return Session(
            sid,
            self.shop.mode,
            start_ms,
            tuple(events),
            tuple(stall.quotes),
            label="synthetic",
            origin=driver.name,
            actor=driver.actor,
        )


def _load_ms(act: Act, rng: Random) -> int:
    """How long the page takes to be there: the same for everybody."""
    return int(rng.lognormvariate(5.8, 0.5)) if act.action in _LOADS else 0
