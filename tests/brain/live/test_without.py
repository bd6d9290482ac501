# SPDX-License-Identifier: Apache-2.0
"""What the brain does without its models: it goes on, more and more carefully."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from bls.bidding import LiveBidder, Seat
from bls.brain.budget.rate import WINDOW_S
from bls.brain.forecast import predictor
from bls.brain.forecast.health import PREDICTOR_FAULTS
from bls.brain.params import MpcParams
from bls.errors import SkynetError
from tests.brain.live.rig import Played, Rig, seat

RIVAL = Seat("rival", "Recommend it.", 1.0)
SEATS = (seat("a"), seat("b"), RIVAL)


@pytest.mark.spec("CBP-S-02")
def test_a_dead_predictor_leaves_its_last_forecast_for_five_minutes(rig: Rig) -> None:
    alive = rig.play(SEATS, tokens=3)
    rig.down = True
    held = rig.play(SEATS, tokens=3, request_id="r2")
    assert all(bids.mixture is not None for bids in held.asked)
    assert held.of(1)[0] > 0 and rig.services.stats.decisions == 2 * 6
    assert {record.predictor for record in rig.records if record.request_id == "r2"} == {""}
    rig.clock.now += 299
    assert rig.play(SEATS, tokens=1, request_id="r3").asked[0].control is not None
    rig.clock.now += 2
    cautious = rig.play(SEATS, tokens=3, request_id="r4")
    assert np.allclose(cautious.of(1), rig.params.cautious_bid)
    assert len(alive.weights) == len(cautious.weights) == 3, "no token was lost"
    assert rig.services.held.stats.fallbacks.of(kind="cautious") > 0


def test_it_comes_back(rig: Rig) -> None:
    rig.down = True
    rig.play(SEATS, tokens=2)
    rig.down = False
    rig.clock.now += 60
    assert rig.play(SEATS, tokens=1, request_id="r2").asked[0].features is not None


def test_ads_that_nobody_can_value_bid_cautiously(rig: Rig) -> None:
    rig.valuer.fault = SkynetError("model_missing", "No model.", 503)
    played = rig.play(SEATS, tokens=2)
    assert np.allclose(played.of(1), rig.params.cautious_bid)
    assert np.allclose(played.of(3), 1.0), "a fixed bid stays as it is"
    assert rig.services.stats.unvalued == 1


def test_a_window_that_expired_is_opened_again(rig: Rig) -> None:
    brain, bidder, played = rig.open(SEATS), LiveBidder(SEATS), Played()
    rig.token(brain, bidder, 0, played)
    rig.clock.now += 61
    rig.token(brain, bidder, 1, played)
    rig.token(brain, bidder, 2, played)
    asked = [bids.features is not None for bids in played.asked]
    assert asked == [True, False, True]
    brain.close([0, 0, 0])


def test_cautious_bids_do_not_brake_the_campaign(tmp_path: Path) -> None:
    """A row without a forecast was not paced, so its spending counts as it is."""
    rig = Rig(tmp_path, budgets={"a": 10**8})
    rig.down = True
    rig.params = MpcParams(cautious_bid=5.0)
    played = rig.play((seat("a"), RIVAL), tokens=12)
    paid = sum(float(outcome.pay[1]) for outcome in played.outcomes)
    assert paid > 0
    assert rig.budgets.state("a").spend_rate == pytest.approx(paid / WINDOW_S, rel=0.01)
    rig.close()


def test_an_advertisers_forecast_is_held_for_any_row(rig: Rig) -> None:
    rig.play((seat("a"), seat("b"), RIVAL), tokens=2)
    rig.down = True
    turned = rig.play((seat("b"), seat("a"), RIVAL), tokens=1, request_id="r2")
    assert turned.asked[0].control is not None
    assert rig.services.held.stats.fallbacks.of(kind="cautious") == 0


def test_every_fault_of_the_predictor_is_survived() -> None:
    """The codes its own module can answer with are those the decoder falls back on."""
    source = Path(predictor.__file__).read_text()
    told = set(re.findall(r'"((?:bad|model|pca)_\w+)"', source)) - {"model_reload"}
    assert "bad_forecast" in told and told <= PREDICTOR_FAULTS
