# SPDX-License-Identifier: Apache-2.0
"""Budgets: never more than there is, never twice, never forgotten, nothing when in doubt."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bls.brain.budget import book as book_module
from bls.brain.budget.budgets import Budgets
from bls.brain.budget.flight import NOTHING, Flight, Flights, daily
from bls.errors import SkynetError

START, END = 1_000, 2_000
FLIGHT = Flight(budget_micros=1_000_000, start=START, end=END)
UNIT = 500


class World:
    """Budgets over one file, with clocks a test sets."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "budgets.jsonl"
        self.faults: list[Exception] = []
        self.seconds, self.unix = 0.0, float(START)
        self._opened: list[Budgets] = []

    def open(self, flights: dict[str, Flight] | Flights | None = None, **options: Any) -> Budgets:
        """Open the file; the one opened before lets go of it without a word, as in a crash."""
        self.crash()
        flights = {"alpine": FLIGHT} if flights is None else flights
        clocks = {"clock": lambda: self.seconds, "wall": lambda: self.unix}
        budgets = Budgets(self.file, flights, UNIT, failed=self.faults.append, **clocks, **options)
        self._opened.append(budgets)
        return budgets

    def crash(self) -> None:
        while self._opened:
            budgets = self._opened.pop()
            if budgets._recorder._book is not None:
                os.close(budgets._recorder._book._descriptor)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    yield world
    world.crash()


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
    assert budgets.commit("alpine", "r0", 10) == 10  # delivered while it was live


def test_nobody_knows_this_advertiser(world: World) -> None:
    budgets = world.open()
    assert budgets.state("stranger") == NOTHING and budgets.reserve("stranger", "r", 5) == 0
    assert budgets.spent("stranger") == 0


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
        assert code_of(lambda call=call: call("alpine", "r", -1)) == "bad_amount"


def test_flights_check_themselves() -> None:
    with pytest.raises(ValueError, match="ends after"):
        Flight(budget_micros=1, start=5, end=5)
    with pytest.raises(ValueError, match="window_s"):
        Budgets(Path(os.devnull), {}, 1, window_s=0.0)._rates["x"]


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


def test_another_flight_is_another_budget(world: World) -> None:
    budgets = world.open()
    budgets.reserve("alpine", "r", 1_000_000)
    budgets.commit("alpine", "r", 1_000_000)
    world.unix = END + 50.0
    later = Flight(budget_micros=700, start=END, end=END + 100)
    again = world.open({"alpine": later})
    assert again.reserve("alpine", "s", 1_000) == 700 and again.spent("alpine") == 0


def test_a_budget_a_day(world: World) -> None:
    world.unix = day = 86_400.0 * 20_000
    budgets = world.open(daily({"alpine": 1_000}))
    assert budgets.reserve("alpine", "r", 900) == 900
    assert budgets.state("alpine", day + 400).time_left == 86_000
    world.unix += 86_400  # the reply goes on past midnight: yesterday pays
    assert budgets.reserve("alpine", "s", 1_500) == 1_000
    assert budgets.commit("alpine", "r", 800) == 800 and budgets.spent("alpine") == 0
    assert budgets.state("stranger") == NOTHING


def test_paced_spending_counts_as_if_it_were_not(world: World) -> None:
    budgets = world.open(window_s=1.0)
    budgets.reserve("alpine", "r", 900_000)
    budgets.deliver("alpine", "r", 1_000, pace=0.5)
    assert budgets.state("alpine").spend_rate == 4.0
    budgets.deliver("alpine", "r", 1_001, pace=0.0)
    assert budgets.state("alpine").spend_rate == 4.2


def fill(world: World) -> bytes:
    budgets = world.open()
    for number in range(5):
        budgets.reserve("alpine", f"r{number}", 1_000)
        budgets.commit("alpine", f"r{number}", 800)
    world.crash()
    return world.file.read_bytes()


def test_a_torn_last_line_is_cut_off(world: World) -> None:
    whole = fill(world)
    world.file.write_bytes(whole[:-30])
    budgets = world.open()
    assert not budgets.faulty and budgets.spent("alpine") == 3_200
    assert budgets.orphans == (("alpine", "r4"),) and not world.faults
    budgets.commit("alpine", "r4", 800)
    assert world.open().spent("alpine") == 4_000


def _damage(raw: bytes) -> dict[str, bytes]:
    lines = raw.splitlines(keepends=True)
    return {
        "a digit": raw.replace(b'"micros":800', b'"micros":100', 1),
        "a line missing": b"".join(lines[:3] + lines[4:]),
        "the first line missing": b"".join(lines[1:]),
        "a line twice": b"".join([*lines[:4], lines[3], *lines[4:]]),
        "lines exchanged": b"".join([*lines[:2], lines[4], lines[3], lines[2], *lines[5:]]),
        "a torn line in the middle": raw.replace(lines[4], lines[4][:20] + b"\n"),
        "zeros": b"\0" * len(raw) + b"\n",
        "an empty line": raw + b"\n",
    }


@pytest.mark.parametrize("way", _damage(b"x\n" * 10))
def test_a_damaged_file_means_no_budget(world: World, way: str) -> None:
    damaged = _damage(fill(world))[way]
    world.file.write_bytes(damaged)
    budgets = world.open()
    assert budgets.faulty and len(world.faults) == 1
    assert budgets.state("alpine") == NOTHING and budgets.reserve("alpine", "r9", 1) == 0
    budgets.close()
    assert world.file.read_bytes() == damaged  # evidence


def test_lines_that_could_not_have_been(world: World) -> None:
    for lines in (
        [("settle", "r", 5)],
        [("hold", "r", 5), ("settle", "r", 6)],
        [("hold", "r", 5), ("hold", "r", 4)],
    ):
        world.file.unlink(missing_ok=True)
        book = book_module.Book(world.file)
        for op, key, micros in lines:
            fields = {"advertiser": "alpine", "flight": START, "ts": 0.0}
            book.append(book_module.Line(op=op, key=key, micros=micros, **fields))
        book.close()
        assert world.open().faulty


def test_a_chained_line_of_another_shape(world: World) -> None:
    body = b'{"v":2}'
    chain = book_module.link(book_module.GENESIS, body)
    world.file.write_bytes(book_module.seal(body, chain))
    assert world.open().faulty


def test_a_file_that_cannot_be_opened(world: World) -> None:
    world.file.mkdir()
    assert world.open().faulty and isinstance(world.faults[0], OSError)


def test_a_closed_book_knows_nothing(world: World) -> None:
    budgets = world.open()
    budgets.close()
    assert budgets.state("alpine") == NOTHING


def test_a_full_disk(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing new is reserved; a settlement counts at once and is written when there is room."""
    budgets = world.open()
    budgets.reserve("alpine", "r", 500)
    before = world.file.read_bytes()
    real = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: real(descriptor, data[:7]))
    assert code_of(lambda: budgets.reserve("alpine", "s", 5)) == "budget_stalled"
    assert budgets.commit("alpine", "r", 400) == 400 and budgets.spent("alpine") == 400
    assert code_of(lambda: budgets.reserve("alpine", "s", 5)) == "budget_stalled"
    assert world.file.read_bytes() == before and world.faults
    assert budgets.state("alpine").budget_left == (1_000_000 - 400) / UNIT
    monkeypatch.setattr(os, "write", real)
    assert budgets.reserve("alpine", "s", 5) == 5
    again = world.open()
    assert again.spent("alpine") == 400 and again.orphans == (("alpine", "s"),)


def test_a_growing_hold_on_a_full_disk(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    budgets = world.open()
    budgets.reserve("alpine", "r", 500)
    monkeypatch.setattr(os, "write", lambda descriptor, data: 0)
    assert budgets.commit("alpine", "r", 900) == 500


def test_one_writer(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(book_module, "_LOCK_WAIT_S", 0.0)
    world.open()
    assert code_of(lambda: Budgets(world.file, {}, UNIT)) == "budgets_locked"


_STEP = st.tuples(
    st.sampled_from(["reserve", "deliver", "commit", "release", "restart"]),
    st.integers(0, 3),
    st.integers(0, 900),
)


@settings(max_examples=60, deadline=None)
@given(steps=st.lists(_STEP, max_size=25))
def test_never_more_than_the_budget(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int, int]]
) -> None:
    world = World(tmp_path_factory.mktemp("budget"))
    flight = Flight(budget_micros=1_000, start=START, end=END)
    budgets = world.open({"alpine": flight})
    for name, reply, micros in steps:
        if name == "restart":
            spent = budgets.spent("alpine")
            budgets = world.open({"alpine": flight})
            assert budgets.spent("alpine") == spent
        elif name == "release":
            budgets.release("alpine", f"r{reply}")
        elif name != "reserve" or ("alpine", f"r{reply}") not in budgets._settled:
            getattr(budgets, name)("alpine", f"r{reply}", micros)
        account = budgets._accounts["alpine", START]
        assert account.reserved == sum(hold.micros for hold in account.holds.values())
        assert 0 <= account.spent + account.reserved <= 1_000
    world.crash()


def test_from_many_threads(world: World) -> None:
    flights = {"alpine": Flight(budget_micros=10_000, start=START, end=END)}
    budgets = world.open(flights)
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
    assert world.open(flights).spent("alpine") == 10_000
