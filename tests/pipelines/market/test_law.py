# SPDX-License-Identifier: Apache-2.0
"""The published law of the next log W_-i is the process's own."""

from __future__ import annotations

import numpy as np
import pytest

from bls.brain.features import W_FLOOR, log_weight
from pipelines_dagster.defs.market.law import law
from pipelines_dagster.defs.market.params import SCENARIOS
from pipelines_dagster.defs.market.process import State, advance, log_bids, opening, others
from pipelines_dagster.defs.market.traits import F64, Traits, draw_traits

DRAWS = 20_000


def repeated(traits: Traits, state: State, times: int) -> tuple[Traits, State]:
    rows = np.zeros(times, np.int64)
    arrays = {name: np.asarray(getattr(state, name))[rows] for name in vars(state) if name != "t"}
    return traits[rows], State(t=state.t, **arrays)


def next_log_w(traits: Traits, state: State, rng: np.random.Generator) -> F64:
    after = advance(traits, state, rng)
    return log_weight(others(np.exp(log_bids(traits, after)), traits.seated))


@pytest.mark.parametrize("scenario", ["stationary", "drifting", "predictable", "spike", "pump"])
def test_moments_are_those_of_plain_draws(scenario: str) -> None:
    rng = np.random.default_rng(5)
    traits = draw_traits(SCENARIOS[scenario], 1, rng)
    state = opening(traits, rng)
    for _ in range(9):
        state = advance(traits, state, rng)
    ahead = law(traits, state)
    drawn = next_log_w(*repeated(traits, state, DRAWS), rng)
    seated = traits.seated[0]
    sd = drawn.std(axis=0)[seated]
    error = np.abs(ahead.mean[0] - drawn.mean(axis=0))[seated]
    assert np.all(error < 6 * sd / np.sqrt(DRAWS) + 0.02 * sd)
    assert np.allclose(ahead.sd[0][seated], sd, rtol=0.1)


def test_mixture_has_the_moments_of_the_law() -> None:
    rng = np.random.default_rng(1)
    traits = draw_traits(SCENARIOS["stationary"], 50, rng)
    ahead = law(traits, opening(traits, rng))
    mu_1, s_1, mu_2, s_2, alpha = np.moveaxis(ahead.mixture.astype(np.float64), -1, 0)
    mean = alpha * mu_1 + (1 - alpha) * mu_2
    square = alpha * (s_1**2 + mu_1**2) + (1 - alpha) * (s_2**2 + mu_2**2)
    assert np.allclose(mean, ahead.mean, atol=1e-4)
    assert np.allclose(np.sqrt(np.maximum(square - mean**2, 0)), ahead.sd, atol=2e-3)
    step = traits.market_step[:, None]
    busy = traits.seated & (traits.seated.sum(axis=1) > 1)[:, None]
    assert np.allclose((mu_2 - mu_1)[busy], np.broadcast_to(step, busy.shape)[busy], atol=0.02)


def test_a_lone_advertiser_faces_the_floor_for_sure() -> None:
    rng = np.random.default_rng(2)
    traits = draw_traits(SCENARIOS["stationary"], 40, rng)
    lone = Traits(**(vars(traits) | {"seated": np.arange(8) < np.ones((40, 1))}))
    ahead = law(lone, opening(lone, rng))
    assert np.allclose(ahead.mean[:, 0], np.log(W_FLOOR), atol=1e-5)
    assert np.allclose(ahead.sd[:, 0], 0, atol=1e-5)


def test_everybody_else_is_summed_without_cancellation() -> None:
    bids = np.array([[1e9, 1e-6, 2e-6]])
    seated = np.array([[True, True, True]])
    assert np.allclose(others(bids, seated)[0], [3e-6, 1e9 + 2e-6, 1e9 + 1e-6], rtol=1e-12)
    assert others(bids, np.array([[True, False, True]]))[0, 2] == 1e9
