# SPDX-License-Identifier: Apache-2.0
"""Speed of the simulator: a token auction is one token of one conversation, all its bidders."""

from __future__ import annotations

import time

import numpy as np

from pipelines_dagster.defs.market.auctions import LONGEST, draw_auctions
from pipelines_dagster.defs.market.params import mix_of
from pipelines_dagster.defs.market.world import draw_world


def bench(conversations: int) -> dict[str, float]:
    """Token auctions a minute on one core: the market alone, and with every row's law."""
    rng = np.random.default_rng(0)
    world = draw_world(256, 320, rng)
    mix = mix_of("train")
    speed = {}
    for name, truth in (("market", False), ("market_and_law", True)):
        count = conversations if truth else 16 * conversations
        began = time.process_time()
        draw_auctions(world, mix, count, rng, truth=truth)
        speed[name] = count * LONGEST * 60 / (time.process_time() - began)
    return {f"{name}_token_auctions_per_minute": round(value) for name, value in speed.items()}
