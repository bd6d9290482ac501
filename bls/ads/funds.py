# SPDX-License-Identifier: Apache-2.0
"""What advertisers may still spend, read at most once in a while.

It may be more than is left, never what decides: a reply pays from what it has reserved.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, TypeGuard

from sqlalchemy import Connection, Engine, and_, select

from bls.ads.database import read, unavailable
from bls.ads.records import Funds
from bls.ads.schema import budgets, flights
from bls.errors import SkynetError
from bls.limits import LIMITS

DAY = 86_400
UNLIMITED = Funds(None, None)
PAUSE_S, WAIT_S = 1.0, 3.0
"""How long a failure counts; how long the first callers wait for the first read."""


class _Read(NamedTuple):
    """`at`: of the cache's clock; `until`: Unix seconds."""

    funds: Mapping[str, Funds]
    at: float
    until: float


class FundsCache:
    """Thread-safe. One read holds every advertiser that has a budget.

    While one caller reads, the others take what was read last, so a database that hangs stalls
    one reply. A failure counts for everybody for `PAUSE_S`.

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
        self._reading = threading.Lock()
        self._last: _Read | None = None
        self._failed_at = float("-inf")

    def __call__(self, advertisers: Sequence[str], now: float) -> Mapping[str, Funds]:
        """Each one's funds at `now`, Unix seconds. Raises `ads_unavailable`."""
        known = self._known(now)
        return {name: known.get(name, UNLIMITED) for name in advertisers}

    def _known(self, now: float) -> Mapping[str, Funds]:
        last = self._last
        if self._fresh(last, now):
            return last.funds
        if self._clock() - self._failed_at < PAUSE_S:
            raise unavailable()
        if not self._reading.acquire(timeout=0 if last is not None else WAIT_S):
            if last is None:
                raise unavailable()
            return last.funds
        try:
            last = self._last  # of the one who has just read it
            return last.funds if self._fresh(last, now) else self._read(now)
        finally:
            self._reading.release()

    def _fresh(self, last: _Read | None, now: float) -> TypeGuard[_Read]:
        return last is not None and self._clock() - last.at < self._ttl_s and now < last.until

    def _read(self, now: float) -> Mapping[str, Funds]:
        try:
            funds = read(self._engine, lambda connection: _read(connection, now))
        except SkynetError:
            self._failed_at = self._clock()
            raise
        ends = [one.end_ts for one in funds.values() if one.end_ts is not None]
        until = min([end for end in ends if end > now], default=now + DAY)
        self._last = _Read(funds, self._clock(), until)
        return funds


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
