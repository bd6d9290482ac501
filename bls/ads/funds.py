# SPDX-License-Identifier: Apache-2.0
"""What advertisers may still spend, read at most once in a while.

It may be more than is left, never what decides: a reply pays from what it has reserved.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence

from sqlalchemy import Connection, Engine, and_, select

from bls.ads.database import read
from bls.ads.records import Funds
from bls.ads.schema import budgets, flights
from bls.limits import LIMITS

DAY = 86_400
UNLIMITED = Funds(None, None)


class FundsCache:
    """Thread-safe. One read holds every advertiser that has a budget.

    Args:
        ttl_s: how long a read counts; never past the end of a flight in it.
    """

    def __init__(
        self,
        engine: Engine,
        ttl_s: float = LIMITS.funds_cache_s,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._engine, self._ttl_s, self._clock = engine, ttl_s, clock
        self._lock = threading.Lock()
        self._known: Mapping[str, Funds] = {}
        self._read_at = float("-inf")
        self._from = self._until = 0.0

    def __call__(self, advertisers: Sequence[str], now: float) -> Mapping[str, Funds]:
        """Each one's funds at `now`, Unix seconds. Raises `ads_unavailable`."""
        with self._lock:
            fresh = self._clock() - self._read_at < self._ttl_s
            if not fresh or not self._from <= now < self._until:
                self._refresh(now)
            return {name: self._known.get(name, UNLIMITED) for name in advertisers}

    def drop(self) -> None:
        """Something has changed: read again."""
        with self._lock:
            self._read_at = float("-inf")

    def _refresh(self, now: float) -> None:
        self._known = read(self._engine, lambda connection: _read(connection, now))
        self._read_at = self._clock()
        ends = [funds.end_ts for funds in self._known.values() if funds.end_ts is not None]
        self._from, self._until = now, min([end for end in ends if end > now], default=now + DAY)


def _read(connection: Connection, now: float) -> dict[str, Funds]:
    live = and_(
        flights.c.advertiser == budgets.c.advertiser,
        flights.c.start_ts <= now,
        flights.c.end_ts > now,
    )
    query = select(
        budgets.c.advertiser,
        budgets.c.daily_micros,
        flights.c.end_ts,
        flights.c.budget_micros - flights.c.spent - flights.c.reserved,
    ).select_from(budgets.outerjoin(flights, live))
    found: dict[str, Funds] = {}
    for name, daily, end, left in connection.execute(query.order_by(flights.c.start_ts)):
        if end is not None:
            found[name] = Funds(int(left), int(end))
        elif daily is not None:  # nothing has been spent of today's yet
            found[name] = Funds(int(daily), (int(now) // DAY + 1) * DAY)
        else:
            found[name] = Funds(0, None)
    return found
