# SPDX-License-Identifier: Apache-2.0
"""Budgets: never more than there is, never twice, never forgotten, nothing when in doubt."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from sqlalchemy import Engine, event

from bls.ads import plans
from bls.ads.database import read, write
from bls.ads.flight import Account, Flight
from bls.ads.ledger import KEEP_S, Ledger
from bls.brain.budget.asking import PAUSE_MAX_S
from bls.brain.budget.budgets import FRESH_S, Budgets
from bls.brain.budget.rate import SpendRate
from bls.brain.budget.state import NOTHING
from bls.errors import SkynetError
from tests.bls.ads.flights import give

START, END = 1_000, 2_000
FLIGHT = Flight(budget_micros=1_000_000, start=START, end=END)
UNIT = 500


class World:
    """Servers on one database, with clocks a test sets."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.faults: list[Exception] = []
        self.seconds, self.unix = 0.0, float(START)
        self.runs = 0
        self.away = False
        event.listen(engine, "before_cursor_execute", self._cursor)

    def open(
        self, flights: Mapping[str, Flight] | None = None, owner: str = "server", **options: Any
    ) -> Budgets:
        """Another run of a server; the one before lets go without a word, as in a crash."""
        if flights is not None or self.runs == 0:
            give(self.engine, {"alpine": FLIGHT} if flights is None else flights)
        self.runs += 1
        ledger = Ledger(self.engine, owner, f"run {self.runs}", wall=lambda: self.unix)
        clocks = {"clock": lambda: self.seconds, "wall": lambda: self.unix}
        return Budgets(ledger, UNIT, failed=self.faults.append, **clocks, **options)

    def account(self, advertiser: str = "alpine") -> Account:
        account = read(self.engine, lambda c: plans.find_last(c, advertiser, self.unix))
        assert account is not None
        return account

    def _cursor(self, *arguments: object) -> None:
        if self.away:
            raise OSError("no route")


@pytest.fixture
def world(engine: Engine) -> Iterator[World]:
    world = World(engine)
    yield world
    world.away = False


def code_of(call: Callable[[], object]) -> str:
    with pytest.raises(SkynetError) as caught:
        call()
    return caught.value.code


def test_the_life_of_a_reply(world: World) -> None:
    budgets = world.open()
    assert budgets.state("alpine", START) == (2_000.0, 1_000.0, 0.0)
    assert budgets.reserve("alpine", "r1", 400_000) == 400_000
    assert budgets.state("alpine").budget_left == 1_200.0
    assert budgets.state("alpine", key="r1").budget_left == 2_000.0
    assert budgets.deliver("alpine", "r1", 100_000) == 300_000
    assert budgets.state("alpine", key="r1").budget_left == 1_800.0
    assert budgets.commit("alpine", "r1", 150_000) == 150_000
    assert budgets.spent("alpine") == 150_000
    assert budgets.state("alpine", START + 250)[:2] == (1_700.0, 750.0)


@pytest.mark.spec("MPC-I-03")
@pytest.mark.spec("MRO-U-07")
def test_no_budget_bids_nothing(world: World) -> None:
    empty = Flight(budget_micros=0, start=START, end=END)
    budgets = world.open({"alpine": empty, "used_up": FLIGHT})
    assert budgets.reserve("used_up", "r", 1_000_000) == 1_000_000
    assert budgets.commit("used_up", "r", 1_000_000) == 1_000_000
    for advertiser in ("alpine", "used_up"):
        assert budgets.state(advertiser).budget_left == 0.0
        assert budgets.reserve(advertiser, "r2", 1) == 0
        assert budgets.deliver(advertiser, "r2", 0) == budgets.commit(advertiser, "r2", 5) == 0


@pytest.mark.parametrize("now", [START - 1, END, END + 1])
def test_outside_the_flight_there_is_no_budget(world: World, now: float) -> None:
    budgets = world.open()
    budgets.reserve("alpine", "r0", 10)
    world.unix = now
    assert budgets.state("alpine") == NOTHING and budgets.state("alpine", now) == NOTHING
    assert budgets.reserve("alpine", "r1", 1) == 0
    assert budgets.commit("alpine", "r0", 15) == 10  # delivered while it was live


def test_nobody_knows_this_advertiser(world: World) -> None:
    budgets = world.open()
    assert budgets.state("stranger") == NOTHING and budgets.reserve("stranger", "r", 5) == 0
    assert budgets.spent("stranger") == 0
    assert budgets.funded(["alpine", "stranger"]) == {"alpine"}


def test_saying_it_twice_changes_nothing(world: World) -> None:
    budgets = world.open()
    for _ in range(2):
        assert budgets.reserve("alpine", "r", 300) == 300
    assert budgets.reserve("alpine", "r", 100) == 300 and budgets.reserve("alpine", "r", 500) == 500
    for _ in range(2):
        assert budgets.commit("alpine", "r", 200) == 200
    assert budgets.commit("alpine", "r", 900) == 200
    budgets.release("alpine", "r")
    assert budgets.spent("alpine") == 200
    assert code_of(lambda: budgets.reserve("alpine", "r", 300)) == "budget_settled"
    again = world.open()
    assert again.commit("alpine", "r", 900) == 200 and again.spent("alpine") == 200


def test_release_frees_everything(world: World) -> None:
    budgets = world.open()
    budgets.reserve("alpine", "r", 300)
    budgets.release("alpine", "r")
    assert budgets.state("alpine").budget_left == 2_000.0 and budgets.commit("alpine", "r", 9) == 0


def test_a_reply_that_costs_more_than_it_held(world: World) -> None:
    budgets = world.open()
    budgets.reserve("alpine", "big", 999_000)
    budgets.reserve("alpine", "small", 500)
    assert budgets.deliver("alpine", "small", 700) == 0
    assert budgets.commit("alpine", "small", 700) == 700
    budgets.reserve("alpine", "other", 100)
    assert budgets.commit("alpine", "other", 5_000) == 300  # all there is
    assert budgets.state("alpine").budget_left == 0


def test_amounts_are_not_negative(world: World) -> None:
    budgets = world.open()
    for call in (budgets.reserve, budgets.deliver, budgets.commit):
        for micros in (-1, 2**53):
            assert code_of(lambda c=call, m=micros: c("alpine", "r", m)) == "bad_amount"


def test_flights_check_themselves() -> None:
    with pytest.raises(ValueError, match="ends after"):
        Flight(budget_micros=1, start=5, end=5)
    with pytest.raises(ValueError, match="window_s"):
        SpendRate(0.0)


def test_the_rate_is_what_was_spent_lately(world: World) -> None:
    budgets = world.open(window_s=10.0)
    budgets.reserve("alpine", "r", 900_000)
    for second in range(1, 101):  # 1,000 micros a second is weight 2
        world.seconds = float(second)
        budgets.deliver("alpine", "r", 1_000 * second)
        budgets.deliver("alpine", "r", 1_000 * second)
    assert budgets.state("alpine").spend_rate == pytest.approx(2.0, rel=0.06)
    world.seconds += 100
    assert budgets.state("alpine").spend_rate < 1e-3
    world.seconds -= 500  # a clock that goes back changes nothing
    assert budgets.state("alpine").spend_rate == pytest.approx(2.0, rel=0.06)


def test_paced_spending_counts_as_if_it_were_not(world: World) -> None:
    budgets = world.open(window_s=1.0)
    budgets.reserve("alpine", "r", 900_000)
    budgets.deliver("alpine", "r", 1_000, pace=0.5)
    assert budgets.state("alpine").spend_rate == 4.0
    budgets.deliver("alpine", "r", 1_001, pace=0.0)
    assert budgets.state("alpine").spend_rate == 4.2


def test_a_restart_remembers_what_was_spent_and_held(world: World) -> None:
    budgets = world.open()
    budgets.reserve("alpine", "done", 600)
    budgets.commit("alpine", "done", 250)
    budgets.reserve("alpine", "open", 500)
    again = world.open()
    assert again.spent("alpine") == 250 and again.orphans == (("alpine", "open"),)
    assert again.state("alpine").budget_left == (1_000_000 - 750) / UNIT
    again.reserve("alpine", "new", 5)
    again.commit("alpine", "open", 400)
    assert again.orphans == () and again.spent("alpine") == 650


def test_another_servers_holds_are_its_own(world: World) -> None:
    here, there = world.open(owner="here"), world.open(owner="there")
    here.reserve("alpine", "r", 400_000)
    assert there.reserve("alpine", "s", 900_000) == 600_000
    assert world.open(owner="there").orphans == (("alpine", "s"),)
    assert here.orphans == ()
    assert here.commit("alpine", "r", 500_000) == 400_000 and world.account().free == 0
    world.seconds += FRESH_S  # what the other one spent is seen within a second
    assert there.state("alpine").budget_left == 0


def test_another_flight_is_another_budget(world: World) -> None:
    budgets = world.open()
    budgets.reserve("alpine", "r", 1_000_000)
    budgets.commit("alpine", "r", 1_000_000)
    world.unix = END + 50.0
    again = world.open({"alpine": Flight(budget_micros=700, start=END, end=END + 100)})
    assert again.reserve("alpine", "s", 1_000) == 700 and again.spent("alpine") == 0


def test_a_budget_a_day(world: World) -> None:
    world.unix = day = 86_400.0 * 20_000
    write(world.engine, lambda c: plans.set_daily(c, "alpine", 1_000, day))
    budgets = world.open({})
    assert budgets.reserve("alpine", "r", 900) == 900
    assert budgets.state("alpine", day + 400).time_left == 86_000
    world.unix += 86_400  # the reply goes on past midnight: yesterday pays
    assert budgets.state("alpine") == (2.0, 86_400.0, 0.0) and budgets.spent("alpine") == 0
    assert budgets.reserve("alpine", "s", 1_500) == 1_000
    assert budgets.reserve("alpine", "r", 950) == 900  # and no more than it held
    assert budgets.commit("alpine", "r", 850) == 850 and budgets.spent("alpine") == 0
    assert budgets.state("stranger") == NOTHING


def test_old_settlements_are_forgotten(world: World) -> None:
    budgets = world.open()
    budgets.reserve("alpine", "r", 300)
    budgets.commit("alpine", "r", 200)
    later = Ledger(world.engine, "server", "x", wall=lambda: START + KEEP_S + 1.0)
    assert later.prune() == 1 and later.prune() == 0
    assert world.account().spent == 200


@pytest.mark.spec("MRO-I-02")
def test_a_campaign_runs_dry(world: World) -> None:
    """A small budget, and 1,000 replies that all want more: spending stops at the budget."""
    budgets = world.open({"alpine": Flight(budget_micros=9_990, start=START, end=END)})
    charged = []
    for number in range(1_000):
        held = budgets.reserve("alpine", f"r{number}", 700)
        charged.append(budgets.commit("alpine", f"r{number}", 700) if held else 0)
    assert sum(charged) == 9_990 and charged[14] == 190 and not any(charged[15:])
    assert world.account().spent == 9_990


def test_a_database_that_is_away(world: World) -> None:
    """Nothing new is reserved; a settlement is stored when it is back; nobody waits meanwhile."""
    budgets = world.open()
    budgets.reserve("alpine", "r", 500)
    world.away = True
    assert code_of(lambda: budgets.reserve("alpine", "s", 5)) == "budget_stalled"
    assert len(world.faults) == 1
    for _ in range(5):  # not even asked
        assert code_of(lambda: budgets.reserve("alpine", "s", 5)) == "budget_stalled"
    assert budgets.commit("alpine", "r", 600) == 500
    world.seconds += FRESH_S
    assert budgets.state("alpine") == NOTHING and budgets.faulty
    assert budgets.funded(["alpine", "stranger"]) == {"alpine", "stranger"}
    assert code_of(lambda: budgets.reserve("alpine", "r", 900)) == "budget_settled"
    assert len(world.faults) == 2  # a second has passed: asked once more
    world.away = False
    assert code_of(lambda: budgets.reserve("alpine", "s", 5)) == "budget_stalled"
    world.seconds += PAUSE_MAX_S
    assert budgets.reserve("alpine", "s", 5) == 5 and not budgets.faulty
    assert budgets.spent("alpine") == 600 and world.account().reserved == 5


def test_a_settlement_that_is_never_stored_leaves_its_money_held(world: World) -> None:
    budgets = world.open()
    budgets.reserve("alpine", "r", 500)
    world.away = True
    assert budgets.commit("alpine", "r", 400) == 400
    budgets.close()
    world.away = False
    again = world.open()
    assert again.orphans == (("alpine", "r"),) and world.account().reserved == 500


def test_closing_stores_what_waits(world: World) -> None:
    budgets = world.open()
    budgets.reserve("alpine", "r", 500)
    world.away = True
    budgets.commit("alpine", "r", 400)
    world.away = False
    world.seconds += PAUSE_MAX_S
    budgets.close()
    assert world.account().spent == 400
    assert budgets.state("alpine") == NOTHING and budgets.faulty
    assert code_of(lambda: budgets.reserve("alpine", "s", 5)) == "budget_stalled"


@pytest.mark.parametrize("status", [500, 409])
def test_preparing_is_tried_until_it_works(world: World, status: int) -> None:
    """Whatever it raises: it is not the error of the reply that comes first."""
    tried: list[float] = []

    def prepare() -> None:
        tried.append(world.seconds)
        if len(tried) < 3:
            raise SkynetError("budgets_damaged", "x", status)

    budgets = world.open(prepare=prepare)
    for seconds in (0.0, 0.5, 1.0, 2.0, 3.0, 3.1):
        world.seconds = seconds
        held = 0
        try:
            held = budgets.reserve("alpine", "r", 5)
        except SkynetError as fault:
            assert fault.code == "budget_stalled"
        assert held == (5 if seconds >= 3.0 else 0)
    assert tried == [0.0, 1.0, 3.0]
    assert [getattr(fault, "code", "") for fault in world.faults] == ["budgets_damaged"] * 2


def test_from_many_threads(world: World) -> None:
    budgets = world.open({"alpine": Flight(budget_micros=10_000, start=START, end=END)})
    charged = []

    def reply(number: int) -> None:
        for turn in range(20):
            key = f"{number}.{turn}"
            held = budgets.reserve("alpine", key, 70)
            budgets.deliver("alpine", key, held // 2)
            charged.append(budgets.commit("alpine", key, held))

    threads = [threading.Thread(target=reply, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(charged) == budgets.spent("alpine") == 10_000
    assert world.account() == Account(START, END, 10_000, 10_000, 0)
