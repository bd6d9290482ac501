# SPDX-License-Identifier: Apache-2.0
"""Traffic without a browser: drivers in a shop in memory, on a simulated clock."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random

from bls.limits import LIMITS
from bls.phantom.session import Session
from bls.phantom.shop import Catalogue
from pipelines_dagster.phantom.traffic.driver import Driver, Enter
from pipelines_dagster.phantom.traffic.prices import Price, surge_price
from pipelines_dagster.phantom.traffic.shelf import Shelf
from pipelines_dagster.phantom.traffic.stall import Stall

START_MS = 1_767_225_600_000
"""2026-01-01: the simulated fortnight begins."""
_SPAN_MS = 14 * 86_400_000
_ADVERTS = 6
_NAMES = "phantom-traffic"
_AFTER = 64
"""One act may be written down as more than one event."""


@dataclass(frozen=True)
class EventGround:
    """Runs trips.

    Args:
        most: events of a session at which it is cut, however its driver would go on.
    """

    shop: Catalogue
    price: Price = surge_price
    most: int = 400
    _shelf: Shelf = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_shelf", Shelf(self.shop))

    def sessions(self, driver: Driver, seed: str) -> Iterator[Session]:
        """The sessions of one trip. Equal seeds make equal trips of equal names; those of another
        mode have other names.

        Raises:
            SkynetError: what the driver fails with; `impossible_act` from a driver at fault.
        """
        rng = Random(f"{seed}/{driver.name}")
        clock = START_MS + rng.randrange(_SPAN_MS)
        for number, enter in enumerate(driver.trip(self.shop, rng)):
            name = f"{_NAMES}/{self.shop.mode}/{seed}/{driver.name}/{number}"
            sid = hashlib.sha256(name.encode()).hexdigest()[:20]
            session = self._session(driver, enter, sid, clock, rng)
            yield session
            last = session.events[-1].ts_ms
            clock = last + int(60_000 * rng.lognormvariate(3.0, 1.5))

    def _session(
        self, driver: Driver, enter: Enter, sid: str, start_ms: int, rng: Random
    ) -> Session:
        names = tuple(self.shop.items)
        adverts = rng.sample(names, min(_ADVERTS, len(names)))
        stall = Stall(self._shelf, self.price, adverts, start_ms, rng)
        most = min(self.most, LIMITS.session_events - _AFTER)
        visit = enter(stall.view)
        try:
            act = next(visit)
            while len(stall.events) < most:
                act = visit.send(stall.perform(act))
        except StopIteration:
            pass
        visit.close()
        return Session(
            sid,
            self.shop.mode,
            start_ms,
            tuple(stall.events),
            tuple(stall.quotes),
            label="synthetic",
            origin=driver.name,
            actor=driver.actor,
        )
