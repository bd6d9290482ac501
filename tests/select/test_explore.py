# SPDX-License-Identifier: Apache-2.0
"""Exploration: its rate, its evenness, and that `ctx_id` decides everything."""

from __future__ import annotations

import numpy as np
import pytest

from bls.select.explore import Purpose, explores, generator, pick, uniform
from tests.select.world import Ads, Exact, World, campaign, unit

IDS = [f"ctx-{number}" for number in range(10_000)]
CTX = unit(np.random.default_rng(5), 1)[0]


@pytest.fixture
def world() -> World:
    names = [f"c{number}" for number in range(12)]
    vectors = unit(np.random.default_rng(6), 60)
    return World(Ads(*map(campaign, names)), Exact(vectors, names * 5))


@pytest.mark.spec("MRO-U-06")
def test_the_rate_is_epsilon(world: World) -> None:
    assert 0.045 <= np.mean([explores(one, 0.05) for one in IDS]) <= 0.055
    assert not any(explores(one, 0.0) for one in IDS) and all(explores(one, 1.0) for one in IDS)
    world.conf = world.conf.model_copy(update={"epsilon": 0.05})
    for one in IDS[:2_000]:
        world.ask(CTX, one)
    assert world.stats.eps_observed == np.mean([explores(one, 0.05) for one in IDS[:2_000]])


def test_draws_are_even_and_do_not_hang_together() -> None:
    drawn = np.array([[uniform(one, purpose) for purpose in Purpose] for one in IDS])
    assert (drawn >= 0).all() and (drawn < 1).all()
    counts, _ = np.histogram(drawn[:, 1], bins=10)
    assert counts.min() > 850 and counts.max() < 1_150
    assert np.abs(np.corrcoef(drawn.T) - np.eye(len(Purpose))).max() < 0.05
    assert {pick(one, 3) for one in IDS[:100]} == {0, 1, 2}


def test_a_draw_never_changes() -> None:
    """Values of this version of MurmurHash3 and of numpy: a change would break replays."""
    assert uniform("ctx-1", Purpose.EXPLORE) == uniform("ctx-1", Purpose.EXPLORE)
    first, again = (generator("ctx-1", Purpose.LAMBDA).random(3) for _ in range(2))
    assert (first == again).all()
    assert (first != generator("ctx-2", Purpose.LAMBDA).random(3)).all()


@pytest.mark.spec("MRO-C-07")
@pytest.mark.parametrize("epsilon", [0.0, 0.5])
def test_the_same_id_the_same_answer(world: World, epsilon: float) -> None:
    world.conf = world.conf.model_copy(update={"epsilon": epsilon})
    first = [world.ask(CTX, one) for one in IDS[:50]]
    assert [world.ask(CTX, one) for one in IDS[:50]] == first


@pytest.mark.spec("MRO-I-03")
def test_exploration_reaches_many_creatives(world: World) -> None:
    """One context 1,000 times, the dice another each time: 8 creatives or more come first."""
    world.conf = world.conf.model_copy(update={"epsilon": 0.1})
    answers = [world.ask(CTX, one) for one in IDS[:1_000]]
    assert len({answer.chosen[0].msg_id for answer in answers}) >= 8
    explored = [answer for answer in answers if answer.chosen[0].explored]
    assert 60 < len(explored) < 140
    usual = next(answer for answer in answers if not answer.chosen[0].explored)
    for answer in explored:
        owners = [one.advertiser for one in answer.chosen]
        assert len(owners) == len(set(owners)) == 4
        assert [one.explored for one in answer.chosen] == [True, False, False, False]
        assert {one.msg_id for one in answer.chosen[1:]} <= {o.msg_id for o in usual.chosen}
