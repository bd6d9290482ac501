# SPDX-License-Identifier: Apache-2.0
"""A language model that chooses every step from a numbered list.

An answer that names no line is asked again, a bounded number of times; then the session ends with
the fault `driver_stuck`. It never goes on with an act the model did not choose.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from random import Random
from typing import Literal

from bls.errors import SkynetError
from bls.phantom.shop import Catalogue
from pipelines_dagster.phantom.traffic.agents.menu import Choice, chosen, menu, prompt
from pipelines_dagster.phantom.traffic.driver import Enter, Visit
from pipelines_dagster.phantom.traffic.steps import Hands
from pipelines_dagster.phantom.traffic.tempo import PLANNER
from pipelines_dagster.phantom.traffic.view import Act, Query, View
from pipelines_dagster.phantom.traffic.wants import Wants

Choose = Callable[[str], str]
"""A prompt to an answer. Raises `SkynetError` when the model is away."""

_STEPS = 40


class LLMShopper:
    """See the module.

    Args:
        choose: the model.
        wants: the goal; drawn for each trip if not given.
        retries: answers asked for again before giving up.
    """

    name = "llm"
    actor: Literal["agent", "human"] = "agent"
    touch = False

    def __init__(self, choose: Choose, wants: Wants | None = None, retries: int = 2) -> None:
        self._choose, self._wants, self._retries = choose, wants, retries

    def trip(self, shop: Catalogue, rng: Random) -> Iterator[Enter]:
        wants = self._wants or Wants.draw(shop, rng)
        yield partial(self._visit, wants, Hands(PLANNER, rng, rng.uniform(0.1, 0.9)))

    def _visit(self, wants: Wants, hands: Hands, outside: View) -> Visit:
        opened, asked = set[str](), set[Query]()
        view = yield hands.land(outside, wants)
        for _ in range(_STEPS):
            if view.place == "list":
                asked.add(view.query)
            if view.place == "item":
                opened.add(view.items[0].item)
            act = self._next(view, wants, menu(view, wants, opened, asked))
            if act is None or view.place == "done":
                return
            if act.action == "view_item":
                (shown,) = [one for one in view.items if one.item == act.item]
                view = yield from hands.open(view, shown)
            else:
                view = yield hands.paced(act)

    def _next(self, view: View, wants: Wants, choices: list[Choice]) -> Act | None:
        for attempt in range(self._retries + 1):
            answer = self._choose(prompt(view, wants, choices, again=attempt > 0))
            at = chosen(answer, len(choices))
            if at is not None:
                return choices[at].act
        raise SkynetError("driver_stuck", "The model chose none of the offered acts.", 502)
