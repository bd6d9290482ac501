# SPDX-License-Identifier: Apache-2.0
"""What the brain bids: it follows value, competition, parameters, and the advertiser's own word."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from bls.bidding import LiveBidder, Seat
from bls.brain.features import PAST
from bls.brain.feedback import STREAM, FeedbackLog
from bls.brain.params import MpcParams
from bls.contracts import Control
from bls.jsonlog import JsonLog
from tests.brain.live.rig import TVE, Played, Rig, persistent, seat

PAIR = (seat("a"), seat("b"))
RIVAL = Seat("rival", "Recommend it.", 1.0)


@pytest.mark.spec("MPC-I-01")
def test_a_more_valuable_ad_bids_more(rig: Rig) -> None:
    """Same forecast, same budget; only the value curve differs."""
    rig.valuer.own = {1: 3.0, 2: 1.0}
    first = rig.play((seat("high"), seat("low"), RIVAL), tokens=1)
    assert first.of(1)[0] > first.of(2)[0] > 0


@pytest.mark.spec("CBP-I-01")
def test_stronger_competition_is_outbid(rig: Rig) -> None:
    """Two identical auctions but for mu, higher by 0.2: the bid is at least 5 % higher."""
    plain = rig.play((seat("a"), RIVAL), tokens=1)
    rig.forecast = lambda features: persistent(features) + np.float32([0.2, 0, 0.2, 0, 0])
    pressed = rig.play((seat("a"), RIVAL), tokens=1, request_id="r2")
    assert pressed.of(1)[0] >= 1.05 * plain.of(1)[0] > 0


def test_the_auctions_weight_is_in_the_next_window(rig: Rig) -> None:
    """W_-i of token t is the newest value of the window of t + 1; before, the openings are."""
    played = rig.play((*PAIR, RIVAL), tokens=4)
    opening = played.asked[0].features
    assert opening is not None and np.allclose(opening[1, PAST], np.log(2.0))
    for before, after in zip(played.outcomes, played.asked[1:], strict=False):
        assert after.features is not None
        newest = after.features[:, PAST][:, -1]
        assert np.allclose(newest[1:3], np.log(before.w_minus[1:3]), atol=1e-6)


def test_a_reply_of_fixed_bids_asks_nobody(rig: Rig) -> None:
    played = rig.play((RIVAL, Seat("other", "Recommend it.", 0.4)), tokens=3)
    assert all(bids.control is None and bids.features is None for bids in played.asked)
    assert np.allclose(played.weights, [[1.0, 1.0, 0.4]] * 3)
    assert rig.services.stats.decisions == 0


def test_an_advertisers_own_bid_replaces_the_controllers(rig: Rig) -> None:
    brain, bidder, played = rig.open(PAIR), LiveBidder(PAIR), Played()
    rig.token(brain, bidder, 0, played)
    bidder.update({"a": 0.125})
    rig.token(brain, bidder, 1, played)
    assert played.of(1)[1] == 0.125 != played.of(1)[0]
    control = played.asked[1].control
    assert control is not None
    assert control[:, Control.CONTROLLED].tolist() == [0, 0, 1]
    brain.close([0, 0])


def test_new_parameters_count_at_the_next_token(rig: Rig) -> None:
    brain, bidder, played = rig.open(PAIR), LiveBidder(PAIR), Played()
    rig.token(brain, bidder, 0, played)
    rig.params = MpcParams(horizon=4, w_max=0.25)
    rig.token(brain, bidder, 1, played)
    horizons = [
        bids.control[1, Control.HORIZON] for bids in played.asked if bids.control is not None
    ]
    assert horizons == [3, 4]
    assert played.of(1)[0] > 0.25 >= played.of(1)[1]
    brain.close([0, 0])


def test_what_the_reference_counts_must_be_outbid_too(rig: Rig) -> None:
    alone = (seat("a", bid=1.0),)
    rig.params = MpcParams(reference_share=0.0)
    without = rig.play(alone, tokens=1).of(1)[0]
    rig.params = MpcParams(reference_share=1.0)
    beside = rig.play(alone, tokens=1, request_id="r2").of(1)[0]
    assert without < 0.1
    assert 1.0 < beside < 1.1


def test_both_cost_models_are_there(rig: Rig) -> None:
    """Paying the second price one bids the value; paying the bid, just what is needed."""
    rig.params = MpcParams(cost_model="bid")
    shaded = rig.play((seat("a"), RIVAL), tokens=1).of(1)[0]
    rig.params = MpcParams(cost_model="vcg")
    true = rig.play((seat("a"), RIVAL), tokens=1, request_id="r2").of(1)[0]
    assert shaded < true


def test_every_decision_is_told(rig: Rig) -> None:
    played = rig.play((*PAIR, RIVAL), tokens=3)
    told = [(record.token_idx, record.advertiser, record.weight) for record in rig.records]
    assert told == [
        (index, name, pytest.approx(played.of(row)[index]))
        for index in range(3)
        for row, name in ((1, "a"), (2, "b"))
    ]
    assert rig.services.stats.decisions == len(told)
    used = {(record.predictor, record.tve) for record in rig.records}
    assert used == {("00c0ffee00c0ffee", TVE)}


def test_feedback_names_the_version_that_valued_the_ad(rig: Rig, tmp_path: Path) -> None:
    log = JsonLog(tmp_path / "logs", 10)
    rig.services = dataclasses.replace(rig.services, feedback=FeedbackLog(log))
    rig.play((*PAIR, RIVAL), tokens=2)
    log.close()
    lines = [json.loads(line) for line in (tmp_path / "logs" / STREAM).read_text().splitlines()]
    assert [(line["advertiser"], line["tve"]) for line in lines] == [("a", TVE), ("b", TVE)]
