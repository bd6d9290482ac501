# SPDX-License-Identifier: Apache-2.0
"""Person-like drivers have the figures they are said to have."""

import math
import statistics
from random import Random

import pytest

from bls.phantom.session import Session
from pipelines_dagster.phantom.traffic.event_ground import EventGround
from pipelines_dagster.phantom.traffic.people.depth import pages
from pipelines_dagster.phantom.traffic.people.person import Person
from pipelines_dagster.phantom.traffic.people.persona import PERSONAS
from pipelines_dagster.phantom.traffic.plan import traffic
from pipelines_dagster.phantom.traffic.tempo import PERSON, SCRIPT
from pipelines_dagster.phantom.traffic.wares import made_up


@pytest.fixture(scope="module")
def made() -> list[Session]:
    people = [Person(one) for one in PERSONAS]
    return [*traffic(EventGround(made_up("hotel")), people, 1_200, 11)]


def share(sessions: list[Session], action: str) -> float:
    return sum(any(one.action == action for one in each.events) for each in sessions) / len(
        sessions
    )


@pytest.mark.spec("PH-07")
def test_conversion_and_abandonment(made: list[Session]) -> None:
    """2 to 3 % buy, 7 of 10 carts are abandoned (docs/phantom_traffic.md)."""
    carts, bought = share(made, "add_item"), share(made, "purchase")
    assert 0.008 < bought < 0.05
    assert 0.5 < 1 - bought / carts < 0.9


def test_some_come_back(made: list[Session]) -> None:
    ground = EventGround(made_up("hotel"))
    returning = next(one for one in PERSONAS if one.name == "returning")
    trips = [[*ground.sessions(Person(returning), str(trip))] for trip in range(40)]
    assert any(len(trip) > 1 for trip in trips)
    for first, second in ((trip[0], trip[1]) for trip in trips if len(trip) > 1):
        assert second.start_ms > first.events[-1].ts_ms
        assert second.sid != first.sid


def test_a_phone_points_at_nothing(made: list[Session]) -> None:
    """Only links that are tapped are, for as long as the next page takes."""
    paragraphs = {
        one.origin for one in made if any(event.action == "hover_paragraph" for event in one.events)
    }
    assert "mobile" not in paragraphs
    assert "browser" in paragraphs


def test_clicks_fall_with_the_rank(made: list[Session]) -> None:
    """Position bias: of the first page's cards the first quarter is opened more than the last."""
    names = [*made_up("hotel").items][:12]
    opened = [
        names.index(event.item)
        for one in made
        for event in one.events
        if event.action == "view_item" and event.item in names
    ]
    assert sum(at < 3 for at in opened) > 1.5 * sum(at >= 9 for at in opened)


@pytest.mark.parametrize(("mean", "shape"), [(7.0, 6.0), (14.0, 14.0)])
def test_depth_is_inverse_gaussian(mean: float, shape: float) -> None:
    rng = Random(2)
    drawn = [pages(rng, mean, shape) for _ in range(20_000)]
    assert statistics.mean(drawn) == pytest.approx(mean, rel=0.05)
    assert statistics.variance(drawn) == pytest.approx(mean**3 / shape, rel=0.25)
    assert min(drawn) == 1
    assert statistics.median(drawn) < mean


def test_tempo() -> None:
    rng = Random(4)
    thinks = [PERSON.think(rng) for _ in range(20_000)]
    assert statistics.median(thinks) == pytest.approx(4_060, rel=0.05)
    assert statistics.stdev(map(math.log, thinks)) == pytest.approx(1.0, rel=0.1)
    assert min(thinks) >= 60
    paces = {round(SCRIPT.of_session(rng).think_s, 3) for _ in range(50)}
    assert len(paces) > 40
