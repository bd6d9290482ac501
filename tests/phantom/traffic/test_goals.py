# SPDX-License-Identifier: Apache-2.0
"""Agents get what they came for, and nothing that they did not come for."""

from random import Random

import pytest

from bls.phantom.session import Session
from pipelines_dagster.phantom.traffic.agents.cheapest_first import CheapestFirst
from pipelines_dagster.phantom.traffic.agents.goal_planner import GoalPlanner
from pipelines_dagster.phantom.traffic.driver import Driver
from pipelines_dagster.phantom.traffic.drivers import drivers
from pipelines_dagster.phantom.traffic.event_ground import EventGround
from pipelines_dagster.phantom.traffic.wants import Wants
from pipelines_dagster.phantom.traffic.wares import made_up

SHOP = made_up("hotel")
WANTS = Wants((("city", "Brine"),), 400_000_000, "2027-05-05")


def carts(session: Session) -> set[str]:
    return {one.item for one in session.events if one.action == "add_item"}


def trips(driver: Driver, count: int) -> list[list[Session]]:
    ground = EventGround(SHOP)
    return [[*ground.sessions(driver, str(trip))] for trip in range(count)]


def test_the_planner_buys_what_is_wanted() -> None:
    made = [one for trip in trips(GoalPlanner(WANTS, scouts=0.0), 40) for one in trip]
    bought = set[str]().union(*map(carts, made))
    assert bought
    for item in bought:
        assert SHOP.items[item].facets["city"] == "Brine"
    assert sum(map(bool, map(carts, made))) > 30
    assert any(one.action == "purchase" for each in made for one in each.events)


def test_reconnaissance_looks_in_one_session_and_buys_in_another() -> None:
    """The second session is quoted what interest in the first had made dearer."""
    made = [trip for trip in trips(GoalPlanner(WANTS, scouts=1.0), 40) if len(trip) == 2]
    assert len(made) > 5
    for look, buy in made:
        assert not carts(look)
        assert {one.item for one in look.events if one.action == "view_item"} & carts(buy)
        assert look.sid != buy.sid


def test_nothing_is_bought_that_is_too_dear() -> None:
    poor = Wants((("city", "Brine"),), 1_000_000, "2027-05-05")
    assert not any(map(carts, (one for trip in trips(GoalPlanner(poor), 15) for one in trip)))


def test_the_crawler_opens_by_price() -> None:
    for trip in trips(CheapestFirst(), 10):
        asked = [one.action for one in trip[0].events]
        assert "sort" in asked


@pytest.mark.parametrize("name", [name for name, one in drivers().items() if one.actor == "agent"])
def test_agents_look_further_than_they_buy(name: str) -> None:
    made = [one for trip in trips(drivers()[name], 60) for one in trip]
    assert sum(len({event.item for event in one.events if event.item}) for one in made) > sum(
        map(len, map(carts, made))
    )


def test_wants_are_of_the_shop() -> None:
    rng = Random(3)
    for mode in ("hotel", "airline"):
        shop = made_up(mode)  # type: ignore[arg-type]
        for _ in range(50):
            wants = Wants.draw(shop, rng)
            fitting = [one for one in shop.items.values() if wants.facets[0] in one.facets.items()]
            assert fitting
            assert wants.budget_micros % 1_000_000 == 0
            assert "2027-01-01" <= wants.date <= "2027-12-31"
