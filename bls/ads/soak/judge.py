# SPDX-License-Identifier: Apache-2.0
"""Whether money was overspent or lost: the database against itself, and against the journals."""

from __future__ import annotations

from sqlalchemy import Connection, Engine, func, select

from bls.ads.database import read
from bls.ads.schema import flights, holds, settlements
from bls.ads.soak.plan import Plan, journals


def overspent(engine: Engine) -> list[str]:
    """Flights that break a rule at this moment."""
    query = select(flights.c.advertiser).where(
        (flights.c.spent + flights.c.reserved > flights.c.budget_micros)
        | (flights.c.spent < 0)
        | (flights.c.reserved < 0)
    )
    return [f"{name}: overspent" for name in read(engine, lambda c: c.scalars(query).all())]


def judge(engine: Engine, plan: Plan) -> list[str]:
    """Every fault found once all servers have ended and settled what they held."""
    faults = overspent(engine)
    totals, settled = read(engine, _totals), read(engine, _settled)
    for advertiser, spent, reserved, held, charged in totals:
        if reserved != held or reserved != 0:
            faults.append(f"{advertiser}: {reserved} reserved, {held} held, all have ended")
        if spent != charged:
            faults.append(f"{advertiser}: {spent} spent, {charged} settled")
    held_by: dict[tuple[str, str], int] = {}
    receipts: dict[tuple[str, str], int] = {}
    for kind, advertiser, key, micros in journals(plan.folder):
        reply = advertiser, key
        if kind == "held":
            held_by[reply] = micros
        elif kind == "receipt":
            receipts[reply] = micros
        elif settled.get(reply, 0) != micros:
            faults.append(f"{reply}: told {micros}, stored {settled.get(reply, 0)}")
    for reply, micros in receipts.items():
        least = min(micros, held_by.get(reply, 0))
        if not least <= settled.get(reply, 0) <= micros:
            faults.append(f"{reply}: receipt {micros}, stored {settled.get(reply, 0)}")
    if strays := [reply for reply in settled if settled[reply] > receipts.get(reply, 0)]:
        faults.append(f"{len(strays)} settled for more than their receipt")
    return faults


def _totals(connection: Connection) -> list[tuple[str, int, int, int, int]]:
    held = select(func.coalesce(func.sum(holds.c.micros), 0))
    charged = select(func.coalesce(func.sum(settlements.c.charged), 0))
    query = select(
        flights.c.advertiser,
        flights.c.spent,
        flights.c.reserved,
        held.where(holds.c.advertiser == flights.c.advertiser).scalar_subquery(),
        charged.where(settlements.c.advertiser == flights.c.advertiser).scalar_subquery(),
    )
    return [(str(row[0]), *(int(n) for n in row[1:])) for row in connection.execute(query)]  # type: ignore[misc]


def _settled(connection: Connection) -> dict[tuple[str, str], int]:
    query = select(settlements.c.advertiser, settlements.c.reply, settlements.c.charged)
    return {(str(a), str(r)): int(c) for a, r, c in connection.execute(query)}
