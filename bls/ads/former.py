# SPDX-License-Identifier: Apache-2.0
"""Takes over the budgets file of releases before the database, once.

    {"v": 1, "op": "hold", "advertiser": ..., "flight": start, "key": ..., "micros": 900, "ts": ...}
    {"v": 1, "op": "settle", ...}, at most what was held; 0 releases it

Flights were UTC days: only today's spending and holds matter. The file is renamed when they are in
the database. A damaged one stops everything, as it did: then nobody knows what was spent.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError
from sqlalchemy import Connection, Engine, and_, update

from bls.ads import plans
from bls.ads.database import write
from bls.ads.flight import MICROS_MAX, Flight, day_of
from bls.ads.ledger import Held
from bls.ads.schema import flights, holds, settlements
from bls.errors import SkynetError
from bls.request import Strict
from bls.settlement.chain import GENESIS, follows, split

FILE = "budgets.jsonl"
TAKEN = FILE + ".taken"
_SESSION = "former"


class Line(Strict):
    """One line without its chain."""

    v: Literal[1] = 1
    op: Literal["hold", "settle"]
    advertiser: str
    flight: Annotated[int, Field(ge=0)]
    key: str
    micros: Annotated[int, Field(ge=0, le=MICROS_MAX)]
    ts: float


@dataclass
class Former:
    """Today's part of the file, micro-units by reply."""

    held: dict[Held, int] = field(default_factory=dict)
    charged: dict[Held, int] = field(default_factory=dict)


def take_over(engine: Engine, state: Path, owner: str, now: float) -> int:
    """Bring today's spending and holds into the database; how many replies.

    The holds are those of an earlier run of `owner`. Safe to repeat after a crash anywhere.

    Raises:
        SkynetError: `budgets_damaged`, `ads_unavailable`.
        OSError: the file cannot be read or renamed.
    """
    path = state / FILE
    if not path.exists():
        return 0
    today = day_of(now, 0)
    former = _read(path.read_bytes(), today.start)
    write(engine, lambda connection: _store(connection, former, today, owner))
    path.rename(state / TAKEN)
    return len(former.held) + len(former.charged)


def _read(content: bytes, day: int) -> Former:
    former, chain = Former(), GENESIS
    for raw in content[: content.rfind(b"\n") + 1].split(b"\n")[:-1]:  # a torn line never counted
        parts = split(raw)
        if parts is None or not follows(chain, *parts):
            raise _damaged()
        chain = parts[1]
        try:
            line = Line.model_validate_json(parts[0])
        except ValidationError:
            raise _damaged() from None
        if line.flight == day:
            _replay(former, line)
    return former


def _replay(former: Former, line: Line) -> None:
    held = (line.advertiser, line.key)
    before = former.held.get(held)
    if line.op == "hold":
        if before is not None and line.micros < before:
            raise _damaged()
        former.held[held] = line.micros
    elif before is None or line.micros > before:
        raise _damaged()
    else:
        del former.held[held]
        former.charged[held] = line.micros


def _store(connection: Connection, former: Former, today: Flight, owner: str) -> None:
    at = {"start_ts": today.start, "ts": today.start}
    for (advertiser, key), micros in sorted(former.charged.items()):
        row = {"advertiser": advertiser, "reply": key, "charged": micros}
        if plans.new_row(connection, settlements, **row, **at):
            _add(connection, advertiser, today, spent=micros)
    for (advertiser, key), micros in sorted(former.held.items()):
        row = {"advertiser": advertiser, "reply": key, "micros": micros}
        who = {"owner": owner, "session": _SESSION}
        if plans.new_row(connection, holds, **row, **who, **at):
            _add(connection, advertiser, today, reserved=micros)


def _add(
    connection: Connection, advertiser: str, today: Flight, spent: int = 0, reserved: int = 0
) -> None:
    """To today's flight, whose budget grows where it is less than was spent of it before."""
    known = plans.find(connection, advertiser, today.start)
    if known is None:
        known = plans.open_at(connection, advertiser, today)
    spent, reserved = known.spent + spent, known.reserved + reserved
    budget = max(known.budget, spent + reserved)
    row = and_(flights.c.advertiser == advertiser, flights.c.start_ts == today.start)
    values = {"spent": spent, "reserved": reserved, "budget_micros": budget}
    connection.execute(update(flights).where(row).values(**values))


def _damaged() -> SkynetError:
    return SkynetError("budgets_damaged", "The former budgets file is damaged.", 500)
