# SPDX-License-Identifier: Apache-2.0
"""The money of every flight in the database: reserve, commit, release.

    hold       a reply may spend so much of a flight       flight.reserved grows
    settle     it has ended and cost so much               reserved shrinks, spent grows

Each is one transaction that locks its flight's row first, so any number of threads, processes and
servers follow one another; the row's CHECK refuses what a mistake here would let through. A
reply's key makes each safe to repeat, also when nobody knows whether the first try was stored.

A hold names the server it belongs to and the run of it. What a run that died still holds stays
held until that server's next run has read its receipts: nobody else may free it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, Engine, and_, delete, select

from bls.ads import plans, statements
from bls.ads.database import read, write
from bls.ads.flight import Account
from bls.ads.schema import holds, settlements
from bls.errors import invalid

Held = tuple[str, str]
"""An advertiser, and the key of a reply."""

KEEP_S = 14 * 86_400
"""How long a settlement is remembered, so that settling again changes nothing."""


class Done(NamedTuple):
    """What a reply holds or was charged now, and the flight it is of, if it is of one."""

    micros: int
    account: Account | None


class Ledger:
    """Thread-safe. Every method raises `ads_unavailable` while the database does not answer.

    Args:
        engine: of `bls.ads.database.open_database`, migrated.
        owner: the server whose holds these are; the same after it restarts.
        session: this run of it.
        wall: Unix seconds.
    """

    def __init__(
        self, engine: Engine, owner: str, session: str, wall: Callable[[], float] = time.time
    ) -> None:
        self._engine, self._owner, self._session, self._wall = engine, owner, session, wall

    def account(self, advertiser: str, now: float) -> Account | None:
        """The flight that is live at `now`, as it stands."""

        def find(connection: Connection) -> Account | None:
            live = plans.find_live(connection, advertiser, now)
            return live or plans.today(connection, advertiser, now)

        return read(self._engine, find)

    def last(self, advertiser: str) -> Account | None:
        """The same, or the newest one that is over."""
        now = self._wall()
        return self.account(advertiser, now) or read(
            self._engine, lambda connection: plans.find_last(connection, advertiser, now)
        )

    def funded(self, advertisers: Sequence[str]) -> frozenset[str]:
        """Which of these have a budget; never from a cache."""
        return read(self._engine, lambda connection: plans.funded(connection, advertisers))

    def reserve(self, advertiser: str, key: str, micros: int) -> Done:
        """Let the reply `key` hold `micros` in all, or as much as there is; never less than before.

        What it holds stays of the flight it began in: when that is over it gets no more.
        Raises `budget_settled` for a reply that has ended.
        """

        def work(connection: Connection) -> Done:
            now = self._wall()
            account = plans.find_live(connection, advertiser, now, lock=True)
            account = account or plans.open_today(connection, advertiser, now)
            held, start = _held(connection, advertiser, key)
            if held is None and _charged(connection, advertiser, key) is not None:
                raise invalid("budget_settled", "This reply has been settled.")
            if account is None or (start is not None and start != account.start):
                return Done(held or 0, account)
            more = min(max(0, micros - (held or 0)), account.free)
            if more == 0:
                return Done(held or 0, account)
            account = _move(connection, advertiser, account, reserved=more)
            row = {"advertiser": advertiser, "reply": key, "start_ts": account.start}
            self._hold(connection, {**row, "micros": (held or 0) + more}, held)
            return Done((held or 0) + more, account)

        return write(self._engine, work, durable=False)

    def commit(self, advertiser: str, key: str, micros: int) -> Done:
        """The reply has ended and costs `micros`; what of it the budget bears.

        Ends the hold. More than it held is taken only while its flight is live, and only what is
        free. 0 for a reply that held nothing; again: the same answer.
        """

        def work(connection: Connection) -> Done:
            _, start = _held(connection, advertiser, key)
            account = None if start is None else plans.find(connection, advertiser, start)
            which = {"a": advertiser, "r": key}
            held = None if account is None else connection.scalar(statements.UNHOLD, which)
            if held is None or account is None:  # never held, or settled while we waited
                return Done(_charged(connection, advertiser, key) or 0, account)
            more = account.free if account.live(self._wall()) else 0
            charged = min(micros, held + more)
            account = _move(connection, advertiser, account, reserved=-held, spent=charged)
            row = {"advertiser": advertiser, "reply": key, "start_ts": account.start}
            now = int(self._wall())
            connection.execute(statements.SETTLE, {**row, "charged": charged, "ts": now})
            return Done(charged, account)

        return write(self._engine, work, durable=False)

    def orphans(self) -> tuple[Held, ...]:
        """What an earlier run of this server still holds."""
        earlier = and_(holds.c.owner == self._owner, holds.c.session != self._session)
        query = select(holds.c.advertiser, holds.c.reply).where(earlier)
        found = read(self._engine, lambda c: c.execute(query.order_by(holds.c.ts)).all())
        return tuple((str(advertiser), str(reply)) for advertiser, reply in found)

    def prune(self) -> int:
        """Forget settlements of long ago; how many."""
        old = delete(settlements).where(settlements.c.ts < self._wall() - KEEP_S)
        return write(self._engine, lambda connection: int(connection.execute(old).rowcount))

    def _hold(self, connection: Connection, row: dict[str, Any], before: int | None) -> None:
        """`row` names the reply, its flight, and what it holds from now on."""
        if before is None:
            mine = {"owner": self._owner, "session": self._session, "ts": int(self._wall())}
            connection.execute(statements.HOLD, {**row, **mine})
        else:
            which = {"a": row["advertiser"], "r": row["reply"]}
            connection.execute(statements.HOLD_MORE, {**which, "new_micros": row["micros"]})


def _move(
    connection: Connection, advertiser: str, account: Account, reserved: int = 0, spent: int = 0
) -> Account:
    """Add to the amounts of a flight whose row is locked."""
    reserved, spent = account.reserved + reserved, account.spent + spent
    which = {"a": advertiser, "s": account.start}
    connection.execute(statements.MOVE, {**which, "new_reserved": reserved, "new_spent": spent})
    return Account(account.start, account.end, account.budget, spent, reserved)


def _held(connection: Connection, advertiser: str, key: str) -> tuple[int | None, int | None]:
    """What a reply holds, and the start of the flight it is of; None when it holds nothing."""
    row = connection.execute(statements.HELD, {"a": advertiser, "r": key}).one_or_none()
    return (None, None) if row is None else (int(row[0]), int(row[1]))


def _charged(connection: Connection, advertiser: str, key: str) -> int | None:
    found = connection.execute(statements.CHARGED, {"a": advertiser, "r": key}).scalar()
    return None if found is None else int(found)
