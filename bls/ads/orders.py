# SPDX-License-Identifier: Apache-2.0
"""Orders about an advertiser's budget: asked once, done once, however often they are sent."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import time
from collections.abc import Callable
from typing import Annotated, Any

from pydantic import Field, model_validator
from sqlalchemy import Connection, Engine, delete, insert, select

from bls.ads import plans, rows
from bls.ads.database import read, write
from bls.ads.flight import MICROS_MAX, Account
from bls.ads.records import CampaignRecord
from bls.ads.schema import advertisers, budgets, campaigns, requests
from bls.ads.store import put_campaign
from bls.errors import SkynetError, invalid
from bls.request import Strict

KEEP_S = 14 * 86_400
"""How long an Idempotency-Key is remembered."""

Micros = Annotated[int, Field(ge=0, le=MICROS_MAX)]


class BudgetOrder(Strict):
    """The seed's `{CPM, CPC, budget_left, end_ts}` in integer micro-dollars and Unix seconds.

    Attributes:
        cpm_micros, cpc_micros: of every campaign of the advertiser; left out they stay.
        budget_left_micros, end_ts: may still be spent, beside what replies hold, until then.
        daily_micros: instead of the two, so much every UTC day.
    """

    cpm_micros: Micros | None = None
    cpc_micros: Micros | None = None
    budget_left_micros: Micros | None = None
    end_ts: Annotated[int, Field(ge=0, le=2**40)] | None = None
    daily_micros: Micros | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> BudgetOrder:
        if (self.budget_left_micros is None) != (self.end_ts is None):
            raise ValueError("budget_left_micros and end_ts belong together")
        if self.budget_left_micros is not None and self.daily_micros is not None:
            raise ValueError("a budget is daily or has an end, not both")
        if self == BudgetOrder.model_construct():
            raise ValueError("the order says nothing")
        return self


class Orders:
    """Thread-safe.

    Args:
        wall: Unix seconds.
    """

    def __init__(self, engine: Engine, wall: Callable[[], float] = time.time) -> None:
        self._engine, self._wall = engine, wall

    def budget(self, advertiser: str) -> dict[str, Any]:
        """How the budget stands now; not from a cache. Raises `unknown_advertiser` (404)."""
        return read(self._engine, lambda connection: self._state(connection, advertiser))

    def set_budget(self, advertiser: str, order: BudgetOrder, key: str) -> dict[str, Any]:
        """Do it, and say how the budget stands then; again with the same `key`: the same answer.

        Raises:
            SkynetError: `idempotency_conflict` (409) where the key came with another order;
                `bad_end` (400) for an end that has passed; `unknown_advertiser` (404).
        """
        named = hashlib.sha256(key.encode()).hexdigest()
        body = hashlib.sha256(order.model_dump_json().encode()).hexdigest()

        def work(connection: Connection) -> dict[str, Any]:
            rows.Sequence(connection)  # another try of the same order waits here
            before = self._answered(connection, advertiser, named, body)
            if before is not None:
                return before
            if not _exists(connection, advertiser):
                raise _unknown()
            self._do(connection, advertiser, order)
            answer = self._state(connection, advertiser)
            now = int(self._wall())
            connection.execute(delete(requests).where(requests.c.ts < now - KEEP_S))
            row = {"advertiser": advertiser, "request": named, "body_sha256": body, "ts": now}
            connection.execute(insert(requests).values(**row, answer=json.dumps(answer)))
            return answer

        return write(self._engine, work)

    def unlimited(self, advertiser: str) -> None:
        """Take its budget away: no limit."""
        write(self._engine, lambda connection: plans.unlimited(connection, advertiser))

    def _do(self, connection: Connection, advertiser: str, order: BudgetOrder) -> None:
        now = self._wall()
        if order.end_ts is not None and order.budget_left_micros is not None:
            if order.end_ts <= now:
                raise invalid("bad_end", "The end has passed.", "end_ts")
            left = order.budget_left_micros
            plans.set_left(connection, advertiser, left, order.end_ts, now)
        elif order.daily_micros is not None:
            plans.set_daily(connection, advertiser, order.daily_micros, now)
        given = {"cpm_micros": order.cpm_micros, "cpc_micros": order.cpc_micros}
        worth = {name: micros for name, micros in given.items() if micros is not None}
        for campaign in _campaigns(connection, advertiser) if worth else ():
            put_campaign(connection, dataclasses.replace(campaign, **worth))  # type: ignore[arg-type]

    def _answered(
        self, connection: Connection, advertiser: str, named: str, body: str
    ) -> dict[str, Any] | None:
        mine = (requests.c.advertiser == advertiser) & (requests.c.request == named)
        row = connection.execute(select(requests).where(mine)).one_or_none()
        if row is None:
            return None
        if row.body_sha256 != body:
            message = "This Idempotency-Key came with another order."
            raise SkynetError("idempotency_conflict", message, 409, "idempotency-key")
        return dict(json.loads(row.answer))

    def _state(self, connection: Connection, advertiser: str) -> dict[str, Any]:
        now = self._wall()
        owned = _campaigns(connection, advertiser)
        daily = select(budgets.c.daily_micros).where(budgets.c.advertiser == advertiser)
        plan = connection.execute(daily).one_or_none()
        if not _exists(connection, advertiser):
            raise _unknown()
        account = plans.find_live(connection, advertiser, now)
        account = account or plans.today(connection, advertiser, now)
        return {
            "advertiser": advertiser,
            "limited": plan is not None,
            "cpm_micros": _common([c.cpm_micros for c in owned]),
            "cpc_micros": _common([c.cpc_micros for c in owned]),
            "daily_micros": plan.daily_micros if plan is not None else None,
            **_money(account if plan is not None else None, limited=plan is not None),
        }


def _money(account: Account | None, *, limited: bool) -> dict[str, int | None]:
    if account is None:
        nothing = {"start_ts": None, "end_ts": None}
        left = 0 if limited else None
        return {"budget_left_micros": left, "spent_micros": 0, "reserved_micros": 0, **nothing}
    return {
        "budget_left_micros": account.free,
        "spent_micros": account.spent,
        "reserved_micros": account.reserved,
        "start_ts": account.start,
        "end_ts": account.end,
    }


def _exists(connection: Connection, advertiser: str) -> bool:
    """It is registered, or has a campaign, or a budget (as remote bidders have)."""
    for table in (advertisers, campaigns, budgets):
        query = select(table.c.advertiser).where(table.c.advertiser == advertiser).limit(1)
        if connection.execute(query).one_or_none() is not None:
            return True
    return False


def _unknown() -> SkynetError:
    return SkynetError("unknown_advertiser", "There is no such advertiser.", 404, "advertiser")


def _campaigns(connection: Connection, advertiser: str) -> list[CampaignRecord]:
    mine = select(campaigns).where(campaigns.c.advertiser == advertiser)
    found = connection.execute(mine.order_by(campaigns.c.campaign_id))
    return [rows.campaign_record(row) for row in found]


def _common(values: list[int | None]) -> int | None:
    """The one value that all have; None where they differ or there is none."""
    return values[0] if values and len(set(values)) == 1 else None
