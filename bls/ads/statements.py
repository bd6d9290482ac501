# SPDX-License-Identifier: Apache-2.0
"""The statements of the money path, made once: building one costs more than running it.

Parameters: `a` advertiser, `r` key of a reply, `s` start of a flight, `now` Unix seconds.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, String, and_, bindparam, delete, insert, select, update

from bls.ads.schema import budgets, flights, holds, settlements

_A, _R = bindparam("a", type_=String), bindparam("r", type_=String)
_S, _NOW = bindparam("s", type_=BigInteger), bindparam("now", type_=BigInteger)

_ACCOUNT = select(
    flights.c.start_ts,
    flights.c.end_ts,
    flights.c.budget_micros,
    flights.c.spent,
    flights.c.reserved,
).where(flights.c.advertiser == _A)
_NEWEST = flights.c.start_ts.desc()

LIVE = (
    _ACCOUNT.where(flights.c.start_ts <= _NOW, flights.c.end_ts > _NOW).order_by(_NEWEST).limit(1)
)
LIVE_LOCKED = LIVE.with_for_update()
BEGUN = _ACCOUNT.where(flights.c.start_ts <= _NOW).order_by(_NEWEST).limit(1)
FLIGHT_LOCKED = _ACCOUNT.where(flights.c.start_ts == _S).with_for_update()
DAILY = select(budgets.c.daily_micros).where(budgets.c.advertiser == _A)

MOVE = (
    update(flights)
    .where(and_(flights.c.advertiser == _A, flights.c.start_ts == _S))
    .values(reserved=bindparam("new_reserved"), spent=bindparam("new_spent"))
)

_HOLD = and_(holds.c.advertiser == _A, holds.c.reply == _R)
HELD = select(holds.c.micros, holds.c.start_ts).where(_HOLD)
HOLD = insert(holds)
HOLD_MORE = update(holds).where(_HOLD).values(micros=bindparam("new_micros"))
UNHOLD = delete(holds).where(_HOLD).returning(holds.c.micros)

CHARGED = select(settlements.c.charged).where(
    and_(settlements.c.advertiser == _A, settlements.c.reply == _R)
)
SETTLE = insert(settlements)
