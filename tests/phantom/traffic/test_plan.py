# SPDX-License-Identifier: Apache-2.0
"""Turns of drivers, faults of trips, and the table of what was made."""

from collections import Counter
from collections.abc import Iterator

import pytest

from bls.errors import SkynetError
from bls.phantom.session import Session, SessionEvent
from pipelines_dagster.phantom.traffic.driver import Driver
from pipelines_dagster.phantom.traffic.drivers import drivers
from pipelines_dagster.phantom.traffic.plan import traffic
from pipelines_dagster.phantom.traffic.tally import HEAD, Tally


class Ground:
    """Trips of two sessions; every `faults`-th trip ends after one."""

    def __init__(self, faults: int) -> None:
        self._faults, self._trips = faults, 0

    def sessions(self, driver: Driver, seed: str) -> Iterator[Session]:
        self._trips += 1
        events = (SessionEvent("page_view", "", 0), SessionEvent("purchase", "h1", 120_000))
        made = Session(seed, "hotel", 0, events, (), "", "", "synthetic", driver.name, driver.actor)
        yield made
        if self._trips % self._faults == 0:
            raise SkynetError("driver_stuck", "It is stuck.", 502)
        yield made


class Dead:
    def sessions(self, driver: Driver, seed: str) -> Iterator[Session]:
        raise SkynetError("shop_away", "Nobody answers.", 502)
        yield  # a generator


def names(*wanted: str) -> list[Driver]:
    return [drivers()[name] for name in wanted]


def test_actors_take_turns() -> None:
    driven = names("stealthy", "exhaustive", "mobile", "browser", "impulse")
    made = [*traffic(Ground(1_000), driven, 60, 0)]
    assert [one.actor for one in made] == ["agent", "human"] * 30
    assert Counter(one.origin for one in made) == {
        "stealthy": 15, "exhaustive": 15, "mobile": 10, "browser": 10, "impulse": 10
    }  # fmt: skip


def test_one_side_alone() -> None:
    made = [*traffic(Ground(1_000), names("mobile", "browser"), 5, 0)]
    assert [one.origin for one in made] == ["mobile", "browser", "mobile", "browser", "mobile"]


def test_faults_are_counted_and_trips_go_on() -> None:
    failed: Counter[str] = Counter()
    assert len([*traffic(Ground(2), names("mobile"), 10, 0, failed)]) == 10
    assert failed["driver_stuck"] == 3
    with pytest.raises(SkynetError):
        [*traffic(Ground(2), names("mobile"), 10, 0)]


def test_a_driver_that_always_fails_is_the_end() -> None:
    failed: Counter[str] = Counter()
    with pytest.raises(SkynetError) as caught:
        [*traffic(Dead(), names("mobile"), 10, 0, failed)]
    assert (caught.value.code, failed["shop_away"]) == ("shop_away", 5)


def test_tally() -> None:
    tally = Tally()
    for session in traffic(Ground(9), names("mobile", "stealthy"), 4, 0):
        tally.push(session)
    assert tally.rows() == [
        ("stealthy", "agent", "2", "4", "4", "0.0%", "100.0%"),
        ("mobile", "human", "2", "4", "4", "0.0%", "100.0%"),
    ]
    assert len(HEAD) == len(tally.rows()[0])
