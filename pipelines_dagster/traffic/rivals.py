# SPDX-License-Identifier: Apache-2.0
"""Competitors of one reply: their bids are a path of the market's process (docs/market.md, 2).

A live bid counts from the next token on, and a reply takes 20 updates a second. Where tokens come
faster than that, a path is sampled and held for a token or two; its time is tokens all the same.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from bls.limits import LIMITS
from pipelines_dagster.defs.market.creatives import BRANDS, draw_text
from pipelines_dagster.defs.market.params import SCENARIOS, SEATS, mix_of
from pipelines_dagster.defs.market.process import advance, log_bids, opening
from pipelines_dagster.defs.market.topics import TOPICS
from pipelines_dagster.defs.market.traits import draw_traits

Rng = np.random.Generator


@dataclass(frozen=True)
class Rival:
    """An advertiser of nobody's campaign file: it brings its own words."""

    advertiser: str
    ad_prompt: str


class Rivals:
    """The competitors of one reply, and their bids token by token."""

    def __init__(self, scenario: str, count: int, rng: Rng) -> None:
        mix = mix_of(scenario)
        name = str(rng.choice(list(mix), p=list(mix.values())))
        drawn = draw_traits(SCENARIOS[name], 1, rng)
        self.members = tuple(_rival(int(at), rng) for at in rng.permutation(len(BRANDS))[:count])
        self._traits = replace(drawn, seated=(np.arange(SEATS) < count)[None, :])
        self._state = opening(self._traits, rng)
        self._rng = rng

    def bids(self, index: int) -> dict[str, float]:
        """Bids for token `index`, -1 the opening; time never runs back."""
        while self._state.t < index:
            self._state = advance(self._traits, self._state, self._rng)
        path = np.exp(log_bids(self._traits, self._state))[0]
        held = np.clip(path[: len(self.members)], 0, LIMITS.bid_max)
        return {
            rival.advertiser: round(float(bid), 6)
            for rival, bid in zip(self.members, held, strict=True)
        }


def _rival(brand: int, rng: Rng) -> Rival:
    text, _ = draw_text(BRANDS[brand], int(rng.integers(len(TOPICS))), rng)
    return Rival(BRANDS[brand].lower(), text)
