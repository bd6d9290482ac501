# SPDX-License-Identifier: Apache-2.0
"""Only what got a row is counted and told, once, while the answer is remembered."""

from __future__ import annotations

import numpy as np
import pytest

from bls.select.answer import SelectRequest
from bls.select.answers import ANSWERS, KEEP_S
from tests.select.world import Ads, Exact, World, around, campaign, unit

CTX = unit(np.random.default_rng(3), 1)[0]
NAMES = ["a", "b", "c"]


@pytest.fixture
def world() -> World:
    return World(Ads(*map(campaign, NAMES)), Exact(around(CTX, [0.9, 0.8, 0.7]), NAMES))


def told(world: World) -> list[tuple[object, object, object]]:
    lines = world.log.of("mro.select")
    return [(line["request_id"], line["msg_id"], line["rank"]) for line in lines]


def test_a_question_counts_nothing(world: World) -> None:
    assert world.names(CTX) == ["m0", "m1", "m2"]
    assert not told(world) and not world.caps.counts("conv") and world.stats.shown == 0


def test_what_got_a_row_is_counted_once_with_the_rank_it_had(world: World) -> None:
    world.ask(CTX)
    for _ in range(2):
        world.confirm("r-x", "m1", "m2", "never-answered")
    assert told(world) == [("r-x", "m1", 1), ("r-x", "m2", 2)]
    assert world.log.of("mro.select")[0]["ctx_id"] == "x"
    assert world.caps.counts("conv") == {"b": 1, "c": 1}
    assert (world.stats.shown, world.stats.unconfirmed) == (2, 0)


def test_a_question_asked_again_is_settled_already(world: World) -> None:
    world.ask(CTX)
    world.ask(CTX)
    world.confirm("r-x", "m0")
    world.ask(CTX)
    world.confirm("r-x", "m0", "m1")
    assert told(world) == [("r-x", "m0", 0)] and world.caps.counts("conv") == {"a": 1}


def test_no_row_at_all_settles_it_too(world: World) -> None:
    world.ask(CTX)
    world.confirm("r-x")
    world.confirm("r-x", "m0")
    assert not told(world) and world.stats.unconfirmed == 0


def test_an_unknown_answer_is_only_counted_as_such(world: World) -> None:
    world.ask(CTX)
    world.confirm("r-other", "m0")
    world.confirm("r-x", "m0", conv_id="another")
    assert not told(world) and not world.caps.counts("another")
    assert world.stats.unconfirmed == 2


def test_answers_are_forgotten(world: World) -> None:
    world.ask(CTX)
    world.now += KEEP_S
    world.confirm("r-x", "m0")
    assert world.stats.unconfirmed == 1 and len(world.answers) == 0
    answer = world.ask(CTX, "first")
    for number in range(ANSWERS):
        request = SelectRequest(ctx_id="x", conv_id="many", request_id=f"r{number}")
        world.answers.keep(request, answer)
    assert len(world.answers) == ANSWERS
    world.confirm("r-first", "m0")
    assert world.stats.unconfirmed == 2 and not told(world)
