# SPDX-License-Identifier: Apache-2.0
"""The one interface of every visitor we drive.

for enter in driver.trip(shop, rng):     # a trip: one errand, one or more sessions
    visit = enter(outside)               # a view of what links elsewhere lead to
    act = next(visit)                    # the landing
    while True: act = visit.send(ground.perform(act))     # until StopIteration: it left
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from random import Random
from typing import Literal, Protocol

from bls.phantom.shop import Catalogue
from pipelines_dagster.phantom.traffic.view import Act, View

Visit = Generator[Act, View, None]
"""One session: yields acts, and is sent the page that each led to."""

Enter = Callable[[View], Visit]
"""Begins a session from outside of the shop."""

Step = Generator[Act, View, View]
"""A part of a visit that gives back the page it ended on."""


class Driver(Protocol):
    """A kind of visitor.

    Attributes:
        name: the origin of its sessions.
        actor: what it imitates.
        touch: a phone, where there is a screen.
    """

    name: str
    actor: Literal["agent", "human"]
    touch: bool

    def trip(self, shop: Catalogue, rng: Random) -> Iterator[Enter]:
        """The sessions of one errand, each asked for after the one before is over.

        Args:
            shop: what the market has, from which a wish is formed; prices are learned by looking.
            rng: the only source of chance. Equal states make equal trips on equal shops.
        """
        ...
