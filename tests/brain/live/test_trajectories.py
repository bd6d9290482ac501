# SPDX-License-Identifier: Apache-2.0
"""When an ad ends: delivered whole, abandoned with its plan, or out of money."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bls.bidding import LiveBidder, Seat
from bls.brain.params import MpcParams
from bls.contracts import CTX, Decision
from tests.brain.live.rig import Played, Rig, persistent, seat

RIVAL = Seat("rival", "Recommend it.", 1.0)


def hopeless(rig: Rig) -> None:
    """Competition far above anything an ad is worth."""
    rig.forecast = lambda features: persistent(features) * 0 + np.float32([3, 0.1, 3, 0.1, 0.5])


@pytest.mark.spec("CG-U-05")
@pytest.mark.spec("MPC-I-02")
def test_an_abandoned_ad_ends_where_its_plan_says(rig: Rig) -> None:
    """M = 2: the second negative token abandons; plan_id tokens later the row bids nothing."""
    hopeless(rig)
    rig.params = MpcParams(horizon=3, momentum=2, lambda_risk=0.3)
    rig.valuer.a, rig.valuer.k_0 = 0.4, 6.0
    played = rig.play((seat("a"), RIVAL), tokens=16)
    abandoned, plan = next(
        (index, int(outcome.decision[1, Decision.PLAN_ID]))
        for index, outcome in enumerate(played.outcomes)
        if outcome.decision is not None and outcome.decision[1, Decision.ABANDON]
    )
    assert abandoned == 1 and plan > 0
    asked = [bids.control is not None for bids in played.asked]
    assert asked == [True] * (abandoned + 1 + plan) + [False] * (16 - abandoned - 1 - plan)
    assert played.of(1)[abandoned + 1 + plan :] == [0.0] * (16 - abandoned - 1 - plan)
    assert rig.services.stats.abandoned == 1


@pytest.mark.spec("TVE-I-01")
def test_ads_of_little_value_stop_early(rig: Rig) -> None:
    """30 conversations whose L_t / V_t > 0.4, and competition that asks more than the ad gives."""
    stopped = 0
    for number in range(30):
        rig.valuer.v_max = 0.02 + 0.01 * number / 30
        played = rig.play((seat("a"), RIVAL), tokens=10, request_id=f"r{number}")
        curve = rig.valuer.values(np.zeros(CTX, np.float32), (seat("a"),), 0).curves[1]
        assert curve.loss[1] / curve.d_v[:2].sum() > 0.4
        stopped += played.asked[-1].control is None
    assert stopped >= 25
    assert rig.services.stats.abandoned == stopped


@pytest.mark.spec("TVE-I-04")
def test_the_loss_curve_decides_how_much_is_salvaged(rig: Rig) -> None:
    """The dearer it is to leave (lambda_risk L_t), the longer the plan of an abandoned ad."""
    hopeless(rig)
    rig.valuer.a, rig.valuer.k_0, rig.valuer.count = 0.5, 4.0, 16
    plans = []
    for number, risk in enumerate((0.1, 0.3, 0.5)):
        rig.params = MpcParams(horizon=3, momentum=2, lambda_risk=risk)
        played = rig.play((seat("a"), RIVAL), tokens=16, request_id=f"r{number}")
        plans.append(sum(bids.control is not None for bids in played.asked))
    assert plans == sorted(plans) and plans[0] < plans[-1]


def test_a_delivered_ad_leaves(rig: Rig) -> None:
    rig.valuer.count = 2
    rig.valuer.v_max = 5.0
    played = rig.play((seat("a", rate=30.0),), tokens=40)
    won = [outcome.winner == 1 for outcome in played.outcomes]
    assert sum(won) == 2
    last = max(index for index, wins in enumerate(won) if wins)
    assert all(weight > 0 for weight in played.of(1)[: last + 1])
    assert played.of(1)[last + 1 :] == [0.0] * (39 - last)
    assert rig.services.stats.delivered == 1


@pytest.mark.spec("MPC-I-03")
def test_no_budget_no_bid(tmp_path: Path) -> None:
    """The advertiser without money bids nothing and owes nothing; the next one bids as ever."""
    rig = Rig(tmp_path, budgets={"broke": 0, "rich": 10**9})
    played = rig.play((seat("broke"), seat("rich"), RIVAL), tokens=6)
    assert played.of(1) == [0.0] * 6
    assert played.of(2)[0] > 0
    assert sum(float(outcome.pay[1]) for outcome in played.outcomes) == 0
    assert rig.budgets.spent("broke") == 0
    assert rig.services.stats.exhausted == 1
    rig.close()


def test_a_reply_never_costs_more_than_it_reserved(tmp_path: Path) -> None:
    rig = Rig(tmp_path, budgets={"a": 900})
    spent = []
    for number in range(6):
        played = rig.play((seat("a", rate=40.0),), tokens=12, request_id=f"r{number}")
        spent.append(rig.charges(played, 1)[0])
        assert rig.budgets.spent("a") == sum(spent) <= 900
    assert sum(spent) > 0
    rig.close()


def test_a_fixed_bid_keeps_to_its_budget_too(tmp_path: Path) -> None:
    rig = Rig(tmp_path, budgets={"rival": 1_500})
    played = rig.play((RIVAL, seat("a", rate=0.0, bid=3.0)), tokens=12)
    assert rig.charges(played, 2)[0] <= 1_500
    rig.close()


def test_a_raised_bid_finds_its_money(tmp_path: Path) -> None:
    """What a reply holds grows with what is bid; another reply's is not touched."""
    rig = Rig(tmp_path, budgets={"rival": 50_000})
    seats = (Seat("rival", "Recommend it.", 0.0), seat("a"))
    first, bidder, played = rig.open(seats), LiveBidder(seats), Played()
    second = rig.open(seats, "r2")
    rig.token(first, bidder, 0, played)
    bidder.update({"rival": 5.0})
    rig.token(first, bidder, 1, played)
    assert [played.of(1)[0], played.of(1)[1]] == [0.0, 5.0]
    assert rig.budgets.state("rival").budget_left == 10.0, "50 less the 40 that are held"
    assert second.purses[0].allow(3.0) == 3.0
    first.close(rig.charges(played, 2))
    second.close([0, 0])
    assert rig.budgets.state("rival").budget_left > 40.0, "what was not spent is free again"
    assert rig.services.stats.exhausted == 0
    rig.close()
