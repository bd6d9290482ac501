# SPDX-License-Identifier: Apache-2.0
"""Who has a budget: an amount every UTC day, or flights of its own. Written here, spent in
`bls.ads.ledger`.

A budget is never set below what is spent and held: it stands at that then.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, delete, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from bls.ads import statements
from bls.ads.flight import MICROS_MAX, Account, Flight, day_of
from bls.ads.schema import budgets, flights, holds, settlements
from bls.errors import invalid


def set_daily(connection: Connection, advertiser: str, micros: int, now: float) -> Account:
    """`micros` every UTC day from today on; a flight of its own ends now.

    What that one spent and holds today is no longer left of today's.
    """
    _funded(connection, advertiser, micros)
    today = day_of(now, micros)
    set_flight(connection, advertiser, today, now)
    used = _used_beside(connection, advertiser, today.start)
    terms = today.model_copy(update={"budget_micros": max(0, micros - used)})
    return _store(connection, advertiser, terms)


def set_left(
    connection: Connection, advertiser: str, left: int, end_ts: int, now: float
) -> Account:
    """`left` may still be spent, beside what is held, until `end_ts`; no daily budget any more."""
    _funded(connection, advertiser, None)
    live = find_live(connection, advertiser, now, lock=True)
    if live is None:
        flight = Flight(budget_micros=left, start=int(now), end=end_ts)
        return set_flight(connection, advertiser, flight, now)
    budget = live.spent + live.reserved + left
    if budget > MICROS_MAX:
        message = f"With what is spent and held it is more than {MICROS_MAX}."
        raise invalid("invalid_value", message, "budget_left_micros")
    flight = Flight(budget_micros=budget, start=live.start, end=end_ts)
    return _store(connection, advertiser, flight)


def set_flight(connection: Connection, advertiser: str, flight: Flight, now: float) -> Account:
    """A flight of its own, or new terms of the one that starts then; another live one ends."""
    ours = flights.c.advertiser == advertiser
    others = and_(ours, flights.c.start_ts != flight.start, _around(now))
    if flight.start <= now:
        connection.execute(update(flights).where(others).values(end_ts=int(now)))
    return _store(connection, advertiser, flight)


def fund(connection: Connection, advertiser: str) -> None:
    """It has a budget: none but the flights it is given."""
    _funded(connection, advertiser, None)


def unlimited(connection: Connection, advertiser: str) -> None:
    """It has no budget any more, so no limit; what was spent of its flights is kept."""
    connection.execute(delete(budgets).where(budgets.c.advertiser == advertiser))


def funded(connection: Connection, advertisers: Iterable[str]) -> frozenset[str]:
    """Which of these have a budget."""
    wanted = select(budgets.c.advertiser).where(budgets.c.advertiser.in_(list(advertisers)))
    return frozenset(connection.scalars(wanted))


def find_live(
    connection: Connection, advertiser: str, now: float, *, lock: bool = False
) -> Account | None:
    """The flight that money may be spent of at `now`."""
    query = statements.LIVE_LOCKED if lock else statements.LIVE
    return _account(connection, query, a=advertiser, now=int(now))


def find(connection: Connection, advertiser: str, start: int) -> Account | None:
    """The flight that starts then, locked until the transaction ends."""
    return _account(connection, statements.FLIGHT_LOCKED, a=advertiser, s=start)


def find_last(connection: Connection, advertiser: str, now: float) -> Account | None:
    """The newest flight that has begun at `now`, over or not."""
    return _account(connection, statements.BEGUN, a=advertiser, now=int(now))


def today(connection: Connection, advertiser: str, now: float) -> Account | None:
    """Today's flight of a daily budget that nobody has spent of yet; it is not stored."""
    daily = connection.execute(statements.DAILY, {"a": advertiser}).scalar()
    if daily is None:
        return None
    flight = day_of(now, int(daily))
    return Account(flight.start, flight.end, flight.budget_micros)


def open_today(connection: Connection, advertiser: str, now: float) -> Account | None:
    """The same, stored and locked; None without a daily budget."""
    account = today(connection, advertiser, now)
    if account is not None:
        flight = Flight(budget_micros=account.budget, start=account.start, end=account.end)
        _make(connection, advertiser, flight)
    return find_live(connection, advertiser, now, lock=True)


def open_at(connection: Connection, advertiser: str, flight: Flight) -> Account:
    """The flight that starts then, locked; a new one where there is none."""
    _make(connection, advertiser, flight)
    account = find(connection, advertiser, flight.start)
    if account is None:
        raise LookupError("a flight that was just made")
    return account


def new_row(connection: Connection, table: Any, **values: Any) -> bool:
    """Insert a row unless there is one of its key; whether it did."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    made = dialect.insert(table).values(**values).on_conflict_do_nothing()
    options = {"preserve_rowcount": True}  # an INSERT's is not kept otherwise
    return bool(connection.execute(made, execution_options=options).rowcount > 0)


def _used_beside(connection: Connection, advertiser: str, day: int) -> int:
    """Spent since `day` began, and held, of flights that ended after that; not of the day's own."""
    ended = select(flights.c.start_ts).where(
        flights.c.advertiser == advertiser, flights.c.start_ts != day, flights.c.end_ts > day
    )
    spent = select(func.sum(settlements.c.charged)).where(
        settlements.c.advertiser == advertiser,
        settlements.c.start_ts.in_(ended),
        settlements.c.ts >= day,
    )
    held = select(func.sum(holds.c.micros)).where(
        holds.c.advertiser == advertiser, holds.c.start_ts.in_(ended)
    )
    return sum(int(connection.scalar(query) or 0) for query in (spent, held))


def _around(now: float) -> ColumnElement[bool]:
    return and_(flights.c.start_ts <= now, flights.c.end_ts > now)


def _account(connection: Connection, query: Select[Any], **where: Any) -> Account | None:
    row = connection.execute(query, where).one_or_none()
    return None if row is None else Account(*(int(value) for value in row))


def _funded(connection: Connection, advertiser: str, daily: int | None) -> None:
    if not new_row(connection, budgets, advertiser=advertiser, daily_micros=daily):
        row = update(budgets).where(budgets.c.advertiser == advertiser)
        connection.execute(row.values(daily_micros=daily))


def _make(connection: Connection, advertiser: str, flight: Flight) -> None:
    values = {"start_ts": flight.start, "end_ts": flight.end, "spent": 0, "reserved": 0}
    values["budget_micros"] = flight.budget_micros
    new_row(connection, flights, advertiser=advertiser, **values)


def _store(connection: Connection, advertiser: str, flight: Flight) -> Account:
    before = open_at(connection, advertiser, flight)
    budget = max(flight.budget_micros, before.spent + before.reserved)
    row = and_(flights.c.advertiser == advertiser, flights.c.start_ts == flight.start)
    connection.execute(update(flights).where(row).values(budget_micros=budget, end_ts=flight.end))
    return Account(flight.start, flight.end, budget, before.spent, before.reserved)
