# SPDX-License-Identifier: Apache-2.0
"""The ledger against a model a child could keep: random orders, some broken off in the middle."""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from sqlalchemy import Connection, event

from bls.ads import plans
from bls.ads.database import open_database, read, write
from bls.ads.flight import DAY, Account, Flight
from bls.ads.ledger import Held, Ledger
from bls.ads.migrate import migrate
from bls.errors import SkynetError

MONDAY = 20_000 * DAY
NAMES = st.sampled_from(["alpine", "harbor"])
KEYS = st.sampled_from(["r1", "r2", "r3", "r4"])
MICROS = st.integers(0, 700)


@cache
def _empty() -> Path:
    """A database with our tables: making them takes longer than a whole example."""
    path = Path(tempfile.mkdtemp()) / "empty.db"
    engine = open_database(f"sqlite:///{path}")
    migrate(engine)
    engine.dispose()
    return path


class BrokenOffError(Exception):
    """A process that dies here leaves nothing half done."""


class LedgerMachine(RuleBasedStateMachine):
    """`flights` by (advertiser, start): [budget, spent]; `holds` by reply: [start, micros];
    `beside_today`: what flights of an advertiser's own have spent, by (advertiser, day)."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        shutil.copy(_empty(), self.folder / "ledger.db")
        self.engine = open_database(f"sqlite:///{self.folder}/ledger.db")
        self.now, self.runs, self.fuse = float(MONDAY), 0, -1
        self.daily = {"alpine": 1_000, "harbor": 500}
        for name, micros in self.daily.items():
            write(self.engine, lambda c, n=name, m=micros: plans.set_daily(c, n, m, self.now))
        self.flights = {(name, MONDAY): [micros, 0] for name, micros in self.daily.items()}
        self.holds: dict[Held, list[int]] = {}
        self.settled: dict[Held, int] = {}
        self.beside_today: Counter[tuple[str, int]] = Counter()
        self.replies = 0
        self.orphans: set[Held] = set()
        event.listen(self.engine, "after_cursor_execute", self._burn)
        event.listen(self.engine, "commit", self._burn)
        self.restart()

    def teardown(self) -> None:
        self.engine.dispose()
        shutil.rmtree(self.folder)

    @rule()
    def restart(self) -> None:
        self.runs += 1
        self.ledger = Ledger(self.engine, "server", f"run {self.runs}", wall=lambda: self.now)
        self.orphans = set(self.holds)

    @rule(advertiser=NAMES, key=KEYS, micros=MICROS, fuse=st.integers(-1, 6))
    def reserve(self, advertiser: str, key: str, micros: int, fuse: int) -> None:
        held = advertiser, key
        if held in self.settled:
            with pytest.raises(SkynetError, match="settled"):
                self.ledger.reserve(advertiser, key, micros)
            return
        got = self._tried(lambda: self.ledger.reserve(advertiser, key, micros).micros, fuse)
        start, before = self.holds.get(held, [self._day, 0])
        wanted = before
        if start == self._day:
            wanted += min(max(0, micros - before), self._free(advertiser, start))
        assert got == wanted
        if wanted > 0:
            self.holds[held] = [start, wanted]

    @rule(advertiser=NAMES, key=KEYS, micros=MICROS, fuse=st.integers(-1, 8))
    def commit(self, advertiser: str, key: str, micros: int, fuse: int) -> None:
        held = advertiser, key
        got = self._tried(lambda: self.ledger.commit(advertiser, key, micros).micros, fuse)
        if held not in self.holds:
            assert got == self.settled.get(held, 0)
            return
        start, reserved = self.holds.pop(held)
        more = self._free(advertiser, start) - reserved if start == self._day else 0
        charged = min(micros, reserved + more)
        assert got == charged
        self.flights[advertiser, start][1] += charged
        self.settled[held] = charged
        self.orphans.discard(held)

    @rule(advertiser=NAMES, micros=st.integers(0, 1_500))
    def order(self, advertiser: str, micros: int) -> None:
        write(self.engine, lambda c: plans.set_daily(c, advertiser, micros, self.now))
        self.daily[advertiser] = micros
        used = self._flight(advertiser)[1] + self._reserved(advertiser, self._day)
        self._flight(advertiser)[0] = max(micros - self.beside_today[advertiser, self._day], used)

    @rule(advertiser=NAMES, left=st.integers(0, 900))
    def left(self, advertiser: str, left: int) -> None:
        end = self._day + DAY

        def work(connection: Connection) -> None:
            plans.set_left(connection, advertiser, left, end, self.now)
            plans.set_daily(connection, advertiser, 0, self.now)

        self._flight(advertiser)
        write(self.engine, lambda c: plans.open_today(c, advertiser, self.now))
        write(self.engine, work)
        flight = self._flight(advertiser)
        self.daily[advertiser] = 0
        flight[0] = flight[1] + self._reserved(advertiser, self._day)

    @rule(advertiser=NAMES, left=st.integers(0, 900), back=st.integers(0, 1_500))
    def beside(self, advertiser: str, left: int, back: int) -> None:
        """A flight of its own from noon on, spent and held of; then a daily budget again, of which
        that is no longer left."""
        noon, self.now = self._day + DAY // 2, self.now + DAY // 2
        self.replies += 1
        number = f"beside {self.replies}"
        own = Flight(budget_micros=left, start=noon, end=noon + 2 * DAY)
        write(self.engine, lambda c: plans.set_flight(c, advertiser, own, self.now))
        spent = self.ledger.reserve(advertiser, number, 90).micros
        assert self.ledger.commit(advertiser, number, spent).micros == spent
        write(self.engine, lambda c: plans.set_daily(c, advertiser, back, self.now))
        self.now -= DAY // 2
        self.daily[advertiser] = back
        day = self._flight(advertiser)
        self.beside_today[advertiser, self._day] += spent
        used = day[1] + self._reserved(advertiser, self._day)
        day[0] = max(back - self.beside_today[advertiser, self._day], used)

    @precondition(lambda self: self.now < MONDAY + 3 * DAY)
    @rule()
    def sleep(self) -> None:
        self.now += DAY

    @invariant()
    def the_books_agree(self) -> None:
        for (advertiser, start), (budget, spent) in self.flights.items():
            reserved = self._reserved(advertiser, start)
            assert spent + reserved <= budget
            stored = read(self.engine, lambda c, a=advertiser, s=start: plans.find(c, a, s))
            if stored is not None or spent or reserved:
                assert stored == Account(start, start + DAY, budget, spent, reserved)
        assert set(self.ledger.orphans()) == self.orphans

    def _tried(self, call: Callable[[], int], fuse: int) -> int:
        """Broken off at statement `fuse`, then sent again."""
        self.fuse = fuse
        try:
            return call()
        except BrokenOffError:
            return call()
        finally:
            self.fuse = -1

    def _burn(self, *arguments: object) -> None:
        self.fuse -= self.fuse >= 0
        if self.fuse == 0:
            self.fuse = -1
            raise BrokenOffError

    @property
    def _day(self) -> int:
        return int(self.now) // DAY * DAY

    def _flight(self, advertiser: str) -> list[int]:
        return self.flights.setdefault((advertiser, self._day), [self.daily[advertiser], 0])

    def _reserved(self, advertiser: str, start: int) -> int:
        mine = [hold for (name, _), hold in self.holds.items() if name == advertiser]
        return sum(micros for at, micros in mine if at == start)

    def _free(self, advertiser: str, start: int) -> int:
        """Of a live flight; what a reply holds of it is not free."""
        budget, spent = self._flight(advertiser)
        return budget - spent - self._reserved(advertiser, start)


TestLedger = LedgerMachine.TestCase
TestLedger.settings = settings(
    max_examples=12, stateful_step_count=20, deadline=None,
    suppress_health_check=list(HealthCheck), derandomize=True,
)  # fmt: skip
