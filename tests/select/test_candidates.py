# SPDX-License-Identifier: Apache-2.0
"""Over-fetch: whatever is fetched, the best are those of scoring everything."""

from __future__ import annotations

import numpy as np
import pytest

from bls.ads.records import Funds
from bls.select.conf import SelectorConf
from tests.select.world import AXES, Ads, Exact, World, campaign, unit

FLOOR = 0.1


@pytest.fixture(scope="module")
def crowd() -> World:
    """3,000 creatives of 60 campaigns of 20 advertisers; dear ones are as far away as others."""
    generator = np.random.default_rng(8)
    names = [f"c{number}" for number in range(60)]
    campaigns = [
        campaign(name, f"adv{n % 20}", cpc_micros=int(generator.lognormal(12, 1)))
        for n, name in enumerate(names)
    ]
    owners = [names[n] for n in generator.integers(0, 60, 3_000)]
    return World(Ads(*campaigns), Exact(unit(generator, 3_000), owners))


def exhaustive(world: World, ctx: np.ndarray, lambda_sem: float, k: int = 4) -> list[str]:
    """The best of everything, creative by creative."""
    board, index = world.boards.of(AXES), world.indexes.held[AXES]
    sims = index.vectors @ ctx
    score = np.float32(lambda_sem) * sims + np.float32(1 - lambda_sem) * board.values
    found: dict[str, str] = {}
    for row in np.lexsort((np.arange(len(sims)), -sims, -score)):
        record = board.campaign(board.names[index.campaign[row]])
        assert record is not None
        money = world.ads.money.get(record.advertiser, Funds(None, None))
        if sims[row] >= FLOOR and not money.empty:
            found.setdefault(record.advertiser, f"m{row}")
    return list(found.values())[:k]


@pytest.mark.parametrize("lambda_sem", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("overfetch", [1, 4, 32])
def test_no_value_is_lost(crowd: World, lambda_sem: float, overfetch: int) -> None:
    crowd.conf = SelectorConf(epsilon=0.0, sim_min=FLOOR, overfetch=overfetch, fetch_max=4_000)
    crowd.play(lambda_sem)
    for ctx in unit(np.random.default_rng(9), 15):
        assert crowd.names(ctx) == exhaustive(crowd, ctx, lambda_sem)


def test_money_that_is_gone_since_the_last_look_does_not_end_the_search(crowd: World) -> None:
    """15 of 20 advertisers: the search is widened until four who can pay are found."""
    crowd.conf = SelectorConf(epsilon=0.0, sim_min=FLOOR, overfetch=1, fetch_max=4_000)
    crowd.play(0.3)
    crowd.ads.money = {f"adv{n}": Funds(0, None) for n in range(15)}
    try:
        for ctx in unit(np.random.default_rng(10), 5):
            found = crowd.names(ctx)
            assert found == exhaustive(crowd, ctx, 0.3) and found
    finally:
        crowd.ads.money = {}


def test_the_search_is_bounded(crowd: World) -> None:
    crowd.conf = SelectorConf(epsilon=0.0, sim_min=0.99, overfetch=1, fetch_max=64)
    ctx = unit(np.random.default_rng(11), 1)[0]
    answer = crowd.ask(ctx)
    assert answer.chosen == () and answer.considered <= 2 * 64
