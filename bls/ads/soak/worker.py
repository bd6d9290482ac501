# SPDX-License-Identifier: Apache-2.0
"""One process of a soak: a server that settles its last run, then lives many replies at once."""

from __future__ import annotations

import random
import threading
import uuid
from collections.abc import Callable
from ctypes import Array, c_longlong
from typing import TypeVar

from sqlalchemy import Engine, event

from bls.ads.database import open_database
from bls.ads.ledger import Ledger
from bls.ads.soak.plan import ADVERTISERS, HOLD_MAX, Journal, Plan, journals
from bls.errors import SkynetError

T = TypeVar("T")


class BrokenOffError(Exception):
    """Thrown in the middle of a transaction, or after it when nobody has heard the answer."""


def work(plan: Plan, process: int, quotas: list[int], done: Array[c_longlong]) -> None:
    """Thread i does `quotas[i]` operations and counts them in `done`, where kills leave them."""
    engine = open_database(plan.url, plan.password)
    ledger = Ledger(engine, f"server {process}", uuid.uuid4().hex)
    _settle_last_run(ledger, plan, process)
    chance = random.Random(uuid.uuid4().int ^ plan.seed)
    _break_off(engine, plan.faults, chance)
    threads = []
    for number, quota in enumerate(quotas):
        slot = process * plan.threads + number
        journal = Journal(plan.folder / f"journal-{process}-{number}")
        replies = Replies(ledger, journal, random.Random(chance.random()), plan.faults)
        threads.append(threading.Thread(target=replies.run, args=(quota, done, slot)))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    engine.dispose()


class Replies:
    """Replies one after another, by one thread."""

    def __init__(
        self, ledger: Ledger, journal: Journal, chance: random.Random, faults: float
    ) -> None:
        self._ledger, self._journal, self._chance = ledger, journal, chance
        self._faults = faults

    def run(self, quota: int, done: Array[c_longlong], slot: int) -> None:
        """Reserve once or several times, then commit or release; each is an operation."""
        while done[slot] < quota:
            advertiser, key = self._chance.choice(ADVERTISERS), uuid.uuid4().hex
            held = 0
            for _ in range(self._chance.randint(1, 3)):
                held = self._reserve(advertiser, key, held + self._chance.randint(1, HOLD_MAX))
                done[slot] += 1
            cost = self._chance.choice((0, held, self._chance.randint(0, held + 50)))
            self._journal.write("receipt", advertiser, key, cost)
            self._commit(advertiser, key, cost)
            done[slot] += 1

    def _reserve(self, advertiser: str, key: str, micros: int) -> int:
        held = self._again(lambda: self._ledger.reserve(advertiser, key, micros).micros)
        self._journal.write("held", advertiser, key, held)
        return held

    def _commit(self, advertiser: str, key: str, cost: int) -> None:
        charged = self._again(lambda: self._ledger.commit(advertiser, key, cost).micros)
        if self._chance.random() < 0.1:
            again = self._again(lambda: self._ledger.commit(advertiser, key, cost + 1).micros)
            if again != charged:
                raise AssertionError(f"settled twice: {charged}, then {again}")
        self._journal.write("told", advertiser, key, charged)

    def _again(self, call: Callable[[], T]) -> T:
        """The answer, however often it breaks off."""
        while True:
            try:
                answer = call()
                if self._chance.random() < self._faults:
                    raise BrokenOffError
                return answer
            except BrokenOffError:
                continue
            except SkynetError as fault:
                if fault.code != "ads_unavailable":
                    raise


def _settle_last_run(ledger: Ledger, plan: Plan, process: int) -> None:
    """As `bls.brain.budget.reconcile` does from receipts."""
    lines = journals(plan.folder, str(process))
    receipts = {(name, key): micros for kind, name, key, micros in lines if kind == "receipt"}
    for advertiser, key in ledger.orphans():
        ledger.commit(advertiser, key, receipts.get((advertiser, key), 0))


def _break_off(engine: Engine, share: float, chance: random.Random) -> None:
    def maybe(*arguments: object) -> None:
        if chance.random() < share:
            raise BrokenOffError

    event.listen(engine, "after_cursor_execute", maybe)
    event.listen(engine, "commit", maybe)
