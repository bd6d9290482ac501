# SPDX-License-Identifier: Apache-2.0
"""What the tests of promotions share: a quick plan, observations, what was written down."""

from __future__ import annotations

import json
from collections.abc import Iterator

from pipelines_dagster.defs.promotion.arms import Arm, Observation, Rules
from pipelines_dagster.defs.promotion.desk import Desk
from pipelines_dagster.defs.promotion.promote import Plan
from pipelines_dagster.registry.names import Stored

PLAN = Plan(share=0.25, watch_s=0.3, poll_s=0.05, rules=Rules(conversations=20, rows=400))


def arm(rmse: float, conversations: int = 100) -> Arm:
    return Arm(4000, conversations, rmse**2, (0.01 * rmse**2) ** 2)


def better() -> Observation:
    return Observation(arm(0.20), arm(0.15))


def worse() -> Observation:
    return Observation(arm(0.20), arm(0.25))


def lines(desk: Desk, stream: str) -> Iterator[dict[str, object]]:
    path = desk.streams.folder / stream
    yield from map(json.loads, path.read_text().splitlines() if path.is_file() else ())


def told(desk: Desk) -> list[str]:
    return [str(line["kind"]) for line in lines(desk, "notify.log")]


def events(desk: Desk, subsystem: str = "pred") -> list[str]:
    return [event.event for event in desk.ledger.events(subsystem)]


class Names:
    """A registry that remembers who has which alias."""

    def __init__(self) -> None:
        self.name: Stored | None = None
        self.best: Stored | None = None

    def champion(self, stored: Stored) -> None:
        self.best = stored
        self.unmark(stored)

    def challenger(self, stored: Stored) -> None:
        self.name = stored

    def unmark(self, stored: Stored) -> None:
        self.name = None if self.name == stored else self.name
