# SPDX-License-Identifier: Apache-2.0
"""What crawlers share: an errand is one session, at the steady tempo of a script."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from functools import partial
from random import Random
from typing import Literal

from bls.phantom.shop import Catalogue
from pipelines_dagster.phantom.traffic.driver import Enter, Visit
from pipelines_dagster.phantom.traffic.steps import Hands
from pipelines_dagster.phantom.traffic.tempo import SCRIPT
from pipelines_dagster.phantom.traffic.view import View
from pipelines_dagster.phantom.traffic.wants import Wants


class Script(ABC):
    """A driver. A class says its `name` and between which chances it `hovers`, see `Hands`."""

    name: str
    actor: Literal["agent", "human"] = "agent"
    touch = False
    hovers: tuple[float, float]

    def trip(self, shop: Catalogue, rng: Random) -> Iterator[Enter]:
        wants = Wants.draw(shop, rng)
        yield partial(self._visit, wants, Hands(SCRIPT, rng, rng.uniform(*self.hovers)))

    @abstractmethod
    def _visit(self, wants: Wants, hands: Hands, outside: View) -> Visit: ...
