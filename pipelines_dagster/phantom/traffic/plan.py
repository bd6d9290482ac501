# SPDX-License-Identifier: Apache-2.0
"""So many sessions by several drivers, half of them by agents: what a classifier is trained on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count, cycle

from bls.phantom.session import Session
from pipelines_dagster.phantom.traffic.driver import Driver
from pipelines_dagster.phantom.traffic.event_ground import EventGround


def traffic(
    ground: EventGround, driven: Sequence[Driver], sessions: int, seed: int
) -> Iterator[Session]:
    """Exactly `sessions` sessions. Drivers take turns, agents and person-like ones alternately if
    there are both; a driver's whole trip counts as several turns of its own.

    Equal arguments give equal sessions. Raises what a driver fails with.
    """
    queues = {one.name: _sessions(ground, one, seed) for one in driven}
    turns = cycle(_turns(driven))
    for _ in range(sessions):
        yield next(queues[next(turns)])


def _sessions(ground: EventGround, driver: Driver, seed: int) -> Iterator[Session]:
    for trip in count():
        yield from ground.sessions(driver, f"{seed}/{trip}")


def _turns(driven: Sequence[Driver]) -> list[str]:
    """Names; each actor's drivers equally often, and the two actors too."""
    agents, people = (
        [one.name for one in driven if one.actor == side] for side in ("agent", "human")
    )
    if not agents or not people:
        return agents or people
    pairs = (
        (agents[at % len(agents)], people[at % len(people)])
        for at in range(len(agents) * len(people))
    )
    return [name for pair in pairs for name in pair]
