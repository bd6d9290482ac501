# SPDX-License-Identifier: Apache-2.0
"""Bidders do what their scenario says."""

from __future__ import annotations

import numpy as np
import pytest

from bls.errors import SkynetError
from pipelines_dagster.defs.market.params import ATTACKS, MIXES, SCENARIOS, mix_of, shifted
from pipelines_dagster.defs.market.process import (
    COLLAPSED,
    COLLAPSING,
    advance,
    attack_offset,
    log_bids,
    opening,
)
from pipelines_dagster.defs.market.traits import F64, draw_traits


def play(scenario: str, count: int, tokens: int, seed: int = 0) -> tuple[F64, F64]:
    """Log bids [tokens, count, SEATS] and ages [tokens, count]."""
    rng = np.random.default_rng(seed)
    traits = draw_traits(SCENARIOS[scenario], count, rng)
    state = opening(traits, rng)
    bids, ages = [], []
    for _ in range(tokens):
        bids.append(log_bids(traits, state))
        ages.append(state.age)
        state = advance(traits, state, rng)
    return np.array(bids), np.array(ages)


def test_plain_markets_are_never_attacked_and_attacked_ones_are() -> None:
    for name in SCENARIOS:
        _, ages = play(name, 50, 64)
        assert (ages >= 0).any() == (name in ATTACKS)


def test_a_spike_is_ten_times_a_bid_for_a_token_or_two() -> None:
    bids, ages = play("spike", 400, 64)
    jump = np.abs(np.diff(bids, axis=0)).max(axis=2)
    begins = (ages[:-1] < 0) & (ages[1:] >= 0)
    assert np.median(jump[begins]) == pytest.approx(np.log(10), abs=0.3)
    assert (ages >= 0).mean() < 0.15


@pytest.mark.parametrize("attack", ATTACKS)
def test_offsets_have_the_attacks_shape(attack: str) -> None:
    traits = draw_traits(SCENARIOS[attack], 200, np.random.default_rng(3))
    at = [attack_offset(traits, np.full(200, age)) for age in (-1, 0, 3, COLLAPSING)]
    assert np.all(at[0] == 0)
    if attack == "pump":
        assert np.all(at[1] < at[2]) and np.allclose(at[3], np.log(COLLAPSED))
        assert np.all(attack_offset(traits, np.full(200, 90)) == traits.size)
    elif attack == "drift":
        assert np.allclose(at[2], 4 * at[1]) and (at[1] > 0).any() and (at[1] < 0).any()
    else:
        assert np.array_equal(at[1], at[2])
        assert np.allclose(np.exp(at[1]), {"spike": 10, "bluff": 0.1, "silence": 0}[attack])


def test_two_regimes_of_a_persistent_market() -> None:
    rng = np.random.default_rng(0)
    traits = draw_traits(SCENARIOS["stationary"], 2_000, rng)
    state, stays = opening(traits, rng), []
    for _ in range(30):
        after = advance(traits, state, rng)
        stays.append(np.mean(after.hot == state.hot))
        state = after
    assert np.mean(stays) == pytest.approx(0.97, abs=0.005)


def test_drifting_markets_move_away_and_stationary_ones_do_not() -> None:
    def spread(name: str) -> float:
        bids, _ = play(name, 500, 64)
        return float(np.std(bids[-1] - bids[0]))

    assert spread("drifting") > 1.3 * spread("stationary")


def test_shifted_parameters_lie_outside_the_training_ranges() -> None:
    for bidders in SCENARIOS.values():
        moved = shifted(bidders)
        assert moved.innovation[1] > bidders.innovation[1]
        assert moved.market_step[1] > bidders.market_step[1]
        assert moved.stay_market[0] < bidders.stay_market[0]
        assert moved.ar[1] <= bidders.ar[0]


def test_mixes_are_shares_and_others_are_refused() -> None:
    assert all(sum(mix_of(name).values()) == pytest.approx(1) for name in MIXES)
    with pytest.raises(SkynetError) as refused:
        mix_of("calm")
    assert refused.value.code == "unknown_scenario"
