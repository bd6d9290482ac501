# SPDX-License-Identifier: Apache-2.0
"""So many sessions by several drivers, half of them by agents: what a classifier is trained on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import count, cycle
from typing import Protocol

from bls.errors import SkynetError
from bls.phantom.session import Session
from pipelines_dagster.phantom.traffic.driver import Driver

_PATIENCE = 5
"""Trips of one driver that may fail one after another."""


class Ground(Protocol):
    """Where trips take place."""

    def sessions(self, driver: Driver, seed: str) -> Iterator[Session]:
        """The sessions of one trip. Raises what the driver or the shop fails with."""
        ...


def traffic(
    ground: Ground,
    driven: Sequence[Driver],
    sessions: int,
    seed: int,
    failed: Counter[str] | None = None,
) -> Iterator[Session]:
    """Exactly `sessions` sessions. Drivers take turns, agents and person-like ones alternately if
    there are both.

    Equal arguments give equal sessions where the ground does (`EventGround`).

    Args:
        failed: counts trips that a fault ended, by code; the session of the fault is left out.

    Raises:
        SkynetError: of a driver whose trips failed five times running; without `failed` at once.
    """
    queues = {one.name: _sessions(ground, one, seed, failed) for one in driven}
    turns = cycle(_turns(driven))
    for _ in range(sessions):
        yield next(queues[next(turns)])


def _sessions(
    ground: Ground, driver: Driver, seed: int, failed: Counter[str] | None
) -> Iterator[Session]:
    running = 0
    for trip in count():
        try:
            for session in ground.sessions(driver, f"{seed}/{trip}"):
                running = 0
                yield session
        except SkynetError as fault:
            running += 1
            if failed is not None:
                failed[fault.code] += 1
            if failed is None or running >= _PATIENCE:
                raise


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
