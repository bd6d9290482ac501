# SPDX-License-Identifier: Apache-2.0
"""Every driver in the shop in memory: it ends, it is labelled, a seed repeats it, no artefact."""

import os
import statistics
import subprocess
import sys
from collections import Counter, defaultdict

import pytest

from bls.errors import SkynetError
from bls.phantom.actions import ACTIONS, Category
from bls.phantom.session import MODES, Mode, Session
from pipelines_dagster.phantom.traffic.drivers import drivers, named
from pipelines_dagster.phantom.traffic.event_ground import EventGround
from pipelines_dagster.phantom.traffic.plan import traffic
from pipelines_dagster.phantom.traffic.wares import made_up

SESSIONS = 360
KNOWN = drivers()
_HASH = """
import hashlib
from bls.phantom.recorded import to_line
from pipelines_dagster.phantom.traffic.drivers import drivers
from pipelines_dagster.phantom.traffic.event_ground import EventGround
from pipelines_dagster.phantom.traffic.plan import traffic
from pipelines_dagster.phantom.traffic.wares import made_up
made = traffic(EventGround(made_up("hotel")), [*drivers().values()], 60, 7)
print(hashlib.sha256("".join(map(to_line, made)).encode()).hexdigest())
"""


@pytest.fixture(scope="module")
def made() -> dict[str, list[Session]]:
    found = defaultdict(list)
    for one in traffic(EventGround(made_up("hotel")), [*KNOWN.values()], SESSIONS, 3):
        found[one.origin].append(one)
    return found


@pytest.mark.spec("PH-01")
def test_all_are_synthetic_by_a_named_driver(made: dict[str, list[Session]]) -> None:
    assert made.keys() == KNOWN.keys()
    assert sum(map(len, made.values())) == SESSIONS
    for name, sessions in made.items():
        assert {(one.label, one.actor) for one in sessions} == {("synthetic", KNOWN[name].actor)}
    actors = Counter(one.actor for sessions in made.values() for one in sessions)
    assert actors["agent"] == actors["human"]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", KNOWN)
def test_every_driver_ends_and_every_event_is_sound(name: str, mode: Mode) -> None:
    shop = made_up(mode, seed=5)
    ground = EventGround(shop)
    for trip in range(12):
        for session in ground.sessions(KNOWN[name], f"s/{trip}"):
            assert 0 < len(session.events) < ground.most
            times = [one.ts_ms for one in session.events]
            assert times == sorted(times)
            assert times[0] >= session.start_ms
            for event in session.events:
                assert not event.item or event.item in shop.items
                assert not event.dwell_ms or ACTIONS[event.action] is Category.DWELL
            for quote in session.quotes:
                item = shop.items[quote.item]
                assert item.floor_micros <= quote.price_micros <= item.ceiling_micros


@pytest.mark.spec("PH-07")
def test_same_seed_same_sessions_whatever_the_hash_seed() -> None:
    said = {
        subprocess.run(
            [sys.executable, "-c", _HASH],
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "1")
    }
    assert len(said) == 1


def test_another_seed_other_sessions() -> None:
    ground = EventGround(made_up("hotel"))
    first, second = (next(ground.sessions(KNOWN["browser"], seed)) for seed in ("a", "b"))
    assert first.sid != second.sid
    assert first.events != second.events


def test_another_mode_other_names() -> None:
    names = [
        {one.sid for one in traffic(EventGround(made_up(mode)), [*KNOWN.values()], 40, 7)}
        for mode in MODES
    ]
    assert all(len(some) == 40 for some in names)
    assert not set.intersection(*names)


def test_no_driver_gives_itself_away(made: dict[str, list[Session]]) -> None:
    """Nothing that a rule of one line could tell agents by: the first act, a steady beat, hovers
    that only one side has, who buys."""
    for name, sessions in made.items():
        landings = Counter(one.events[0].action for one in sessions)
        assert landings["page_view"] / len(sessions) > 0.5, name
        assert len(landings) == 3, name
        gaps = [
            after.ts_ms - before.ts_ms
            for one in sessions
            for before, after in zip(one.events, one.events[1:], strict=False)
        ]
        assert statistics.stdev(gaps) > 0.4 * statistics.mean(gaps), name
        acts = Counter(event.action for one in sessions for event in one.events)
        assert acts["hover_title"], name
    for side in ("agent", "human"):
        of_side = [one for some in made.values() for one in some if one.actor == side]
        bought = [any(event.action == "purchase" for event in one.events) for one in of_side]
        assert 0 < sum(bought) < 0.4 * len(bought)


def test_agents_and_people_overlap_in_pace(made: dict[str, list[Session]]) -> None:
    def pace(name: str) -> list[float]:
        return sorted(
            (one.events[-1].ts_ms - one.start_ms) / (len(one.events) - 1)
            for one in made[name]
            if len(one.events) > 2
        )

    people = sorted(one for name in KNOWN if KNOWN[name].actor == "human" for one in pace(name))
    quick, slow = people[len(people) // 10], people[-len(people) // 10]
    for name in ("goal_planner", "stealthy"):
        inside = [quick <= one <= slow for one in pace(name)]
        assert sum(inside) > 0.6 * len(inside), name


def test_a_cut_session_is_cut() -> None:
    ground = EventGround(made_up("hotel"), most=5)
    session = next(ground.sessions(KNOWN["exhaustive"], "x"))
    assert 5 <= len(session.events) <= 9


def test_names() -> None:
    assert [one.name for one in named(["mobile", "stealthy"])] == ["mobile", "stealthy"]
    with pytest.raises(SkynetError) as caught:
        named(["nobody"])
    assert caught.value.code == "unknown_driver"
