# SPDX-License-Identifier: Apache-2.0
"""The controller among agents: dV is discounted, L and fixed bids are not, money comes back."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from bls.bidding import LiveBidder, Seat
from bls.brain.decisions.lines import parse
from bls.brain.decisions.rebuild import kernel_inputs
from bls.brain.decisions.record import STREAM, DecisionLog
from bls.brain.params import MpcParams
from bls.jsonlog import JsonLog
from bls.reply.score import LiveScore
from kernels_cuda.mpc_control import LOSSES, VALUES
from tests.brain.live.rig import Played, Rig, seat

RIVAL = Seat("rival", "Recommend it.", 1.0)
SEATS = (seat("a"), RIVAL)


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    made = Rig(tmp_path, {"a": 50_000, "rival": 50_000})
    yield made
    made.close()


def play(rig: Rig, score: float | None, tokens: int = 4, request_id: str = "r") -> Played:
    """A reply to a session with this f."""
    brain = rig.open(SEATS, request_id)
    brain.score = LiveScore(score)
    played, bidder = Played(), LiveBidder(SEATS)
    for index in range(tokens):
        rig.token(brain, bidder, index, played)
    brain.close([0, 0])
    return played


@pytest.mark.spec("PH-02")
def test_of_what_the_controller_reads_only_the_value_is_discounted(rig: Rig) -> None:
    plain, half = (
        play(rig, score, tokens=1, request_id=f"r{score}").asked[0].control for score in (None, 0.6)
    )
    assert plain is not None and half is not None
    assert np.array_equal(half[1, VALUES], plain[1, VALUES] * 0.5) and plain[1, VALUES].any()
    assert np.array_equal(half[1, LOSSES], plain[1, LOSSES])
    same = np.ones(plain.shape[1], bool)
    same[VALUES] = False
    assert np.array_equal(half[:, same], plain[:, same])


@pytest.mark.spec("PH-02")
def test_it_bids_less_for_an_agent_and_the_fixed_bid_stays(rig: Rig) -> None:
    """An ad that is worth nothing is given up after M tokens; with L discounted too, at once."""
    people, agents = (play(rig, f, tokens=8, request_id=f"r{f}") for f in (0.1, 1.0))
    assert all(weight > 0 for weight in people.of(1))
    assert people.of(1)[0] > agents.of(1)[0] > 0 == sum(agents.of(1)[rig.params.momentum :])
    rig.params = MpcParams(horizon=3, momentum=2, agent_loss=1.0)
    neither = play(rig, 1.0, tokens=8, request_id="neither")
    assert sum(neither.of(1)) == 0
    for played in (people, agents, neither):
        assert set(played.of(2)) == {1.0}


def test_rows_that_were_discounted_are_remembered(rig: Rig) -> None:
    brain = rig.open(SEATS)
    brain.score = LiveScore(0.1)
    played, bidder = Played(), LiveBidder(SEATS)
    rig.token(brain, bidder, 0, played)
    assert brain.discounted == set()
    brain.score = LiveScore(0.9)
    rig.token(brain, bidder, 1, played)
    assert brain.discounted == {1}
    brain.close([0, 0])


@pytest.mark.spec("PH-12")
def test_discounted_decisions_are_rebuilt_bit_for_bit(rig: Rig, tmp_path: Path) -> None:
    rig.params = MpcParams(agent_free=0.0, agent_strength=0.7, agent_loss=0.3)
    played = play(rig, 0.613, tokens=6)
    log = JsonLog(tmp_path, 64)
    DecisionLog(log)(rig.records)
    log.close()
    lines = [parse(line) for line in (tmp_path / STREAM).read_bytes().splitlines()]
    records = [line for line in lines if line is not None]
    assert len(records) == 6 and {r["discount"] for r in records} == {1 - 0.7 * 0.613}
    mixture, bid, control = kernel_inputs(records)
    asked = np.stack([bids.control[1] for bids in played.asked if bids.control is not None])
    assert np.array_equal(control, asked)
    weights, _ = rig.mpc.decide(mixture, bid, control)
    assert weights.tolist() == [record["weight"] for record in records]


@pytest.mark.parametrize("wrong", [-0.1, 1.5])
def test_a_line_with_an_impossible_discount_is_none(rig: Rig, wrong: float, tmp_path: Path) -> None:
    play(rig, 0.5, tokens=1)
    log = JsonLog(tmp_path, 8)
    DecisionLog(log)([dataclasses.replace(rig.records[0], discount=wrong)])
    log.close()
    assert parse((tmp_path / STREAM).read_bytes().splitlines()[0]) is None


@pytest.mark.spec("PH-13")
def test_a_refunded_reply_frees_all_it_held(rig: Rig) -> None:
    """What was bid for was held; settled at 0 nothing is spent, and again changes nothing."""
    before = [rig.budgets.state(name).budget_left for name in ("a", "rival")]
    seats = (seat("a"), Seat("rival", "Recommend it.", 3.0))
    brain = rig.open(seats, "agent")
    played, bidder = Played(), LiveBidder(seats)
    for index in range(12):
        rig.token(brain, bidder, index, played)
    assert sum(rig.charges(played, 2)) > 0
    for _ in range(2):
        for purse in brain.purses:
            purse.settle(0)
    assert [rig.budgets.spent(name) for name in ("a", "rival")] == [0, 0]
    rig.clock.now += 5
    rig.wall.now += 5
    assert [rig.budgets.state(name).budget_left for name in ("a", "rival")] == before
    assert rig.budgets.orphans == ()
