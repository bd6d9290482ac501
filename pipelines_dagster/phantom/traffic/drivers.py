# SPDX-License-Identifier: Apache-2.0
"""The drivers by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from bls.errors import invalid
from pipelines_dagster.phantom.traffic.agents.cheapest_first import CheapestFirst
from pipelines_dagster.phantom.traffic.agents.exhaustive import Exhaustive
from pipelines_dagster.phantom.traffic.agents.goal_planner import GoalPlanner
from pipelines_dagster.phantom.traffic.agents.stealthy import Stealthy
from pipelines_dagster.phantom.traffic.driver import Driver
from pipelines_dagster.phantom.traffic.people.person import Person
from pipelines_dagster.phantom.traffic.people.persona import PERSONAS

_AGENTS: tuple[Callable[[], Driver], ...] = (CheapestFirst, Exhaustive, GoalPlanner, Stealthy)


def drivers() -> Mapping[str, Driver]:
    """All that need nothing but a shop: agents first, then the person-like ones."""
    made: list[Driver] = [make() for make in _AGENTS]
    made += [Person(persona) for persona in PERSONAS]
    return {one.name: one for one in made}


def named(names: list[str]) -> list[Driver]:
    """Raises `unknown_driver`."""
    known = drivers()
    if unknown := [name for name in names if name not in known]:
        raise invalid("unknown_driver", f"No driver {unknown[0][:40]}: {', '.join(known)}.")
    return [known[name] for name in names]
