# SPDX-License-Identifier: Apache-2.0
"""Runs the processes of a soak, kills some, and lets the judge speak."""

from __future__ import annotations

import multiprocessing
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.context import SpawnProcess
from multiprocessing.sharedctypes import RawArray
from typing import Any

from sqlalchemy import Connection, select

from bls.ads import plans
from bls.ads.database import open_database, read, write
from bls.ads.flight import Flight
from bls.ads.migrate import migrate
from bls.ads.schema import flights, holds
from bls.ads.soak.judge import judge, overspent
from bls.ads.soak.plan import ADVERTISERS, HOLD_MAX, Plan
from bls.ads.soak.worker import work

_LOOK_S = 0.05
_SHARE = 0.15
"""Of an even share of what all replies ask for: every budget runs dry on the way."""


@dataclass
class Result:
    """`faults` is empty when nothing was overspent or lost."""

    operations: int = 0
    kills: int = 0
    looks: int = 0
    seconds: float = 0.0
    spent: int = 0
    budget: int = 0
    faults: list[str] = field(default_factory=list)


def soak(plan: Plan, operations: int, kills: int) -> Result:
    """`operations` in all, by `plan.processes * plan.threads` threads, `kills` SIGKILLs spread
    evenly over them. Raises `RuntimeError` when a process fails by itself."""
    engine = open_database(plan.url, plan.password)
    migrate(engine)
    budget = max(HOLD_MAX, int(operations * HOLD_MAX * _SHARE) // len(ADVERTISERS))
    write(engine, lambda connection: _give(connection, budget))
    result = Result(budget=budget * len(ADVERTISERS))
    began = time.monotonic()
    _Servers(plan, operations, kills, result).run(lambda: overspent(engine))
    result.seconds = time.monotonic() - began
    result.faults += judge(engine, plan)
    rows = select(flights.c.spent)
    result.spent = read(engine, lambda c: sum(int(spent) for spent in c.scalars(rows)))
    if (left := read(engine, lambda c: c.scalars(select(holds.c.reply)).all())) != []:
        result.faults.append(f"{len(left)} replies still hold money")
    engine.dispose()
    return result


class _Servers:
    def __init__(self, plan: Plan, operations: int, kills: int, result: Result) -> None:
        self._plan, self._kills, self._result = plan, kills, result
        self._operations = operations
        threads = plan.processes * plan.threads
        self._quota = -(-operations // threads)
        self._done: Any = RawArray("q", threads)
        self._chance = random.Random(plan.seed)
        self._context = multiprocessing.get_context("spawn")
        self._running: list[SpawnProcess] = []

    def run(self, look: Callable[[], list[str]]) -> None:
        self._running = [self._start(number) for number in range(self._plan.processes)]
        try:
            while any(process.is_alive() for process in self._running):
                self._result.faults += look()
                self._result.looks += 1
                if self._due():
                    self._kill_one()
                time.sleep(_LOOK_S)
        finally:
            for process in self._running:
                process.kill()
        self._result.operations = sum(self._done)
        for number, process in enumerate(self._running):
            process.join()
            if process.exitcode != 0:
                raise RuntimeError(f"process {number} ended with {process.exitcode}")

    def _due(self) -> bool:
        share = sum(self._done) / self._operations
        return self._result.kills < min(self._kills, int(share * (self._kills + 1)))

    def _kill_one(self) -> None:
        """Of those that run; one that ends by itself meanwhile was not killed."""
        alive = [number for number, process in enumerate(self._running) if process.is_alive()]
        if alive:
            number = self._chance.choice(alive)
            process = self._running[number]
            process.kill()
            process.join()
            self._result.kills += process.exitcode != 0
            self._running[number] = self._start(number)

    def _start(self, number: int) -> SpawnProcess:
        quotas = [self._quota] * self._plan.threads
        arguments = (self._plan, number, quotas, self._done)
        process = self._context.Process(target=work, args=arguments)
        process.start()
        return process


def _give(connection: Connection, budget: int) -> None:
    now = int(time.time())
    for advertiser in ADVERTISERS:
        plans.fund(connection, advertiser)
        flight = Flight(budget_micros=budget, start=now, end=now + 86_400)
        plans.set_flight(connection, advertiser, flight, now)
