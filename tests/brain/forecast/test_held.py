# SPDX-License-Identifier: Apache-2.0
"""Held forecasts: whose, how old, how many, and what is counted."""

from __future__ import annotations

import numpy as np

from bls.brain.forecast.held import HeldForecast
from bls.limits import Limits
from tests.brain.clock import Clock


def mixture(*levels: float) -> np.ndarray:
    return np.array([[level, 0.2, level + 1, 0.4, 0.5] for level in levels], np.float32)


def test_the_last_forecast_is_used_for_five_minutes_and_then_none() -> None:
    clock = Clock()
    held = HeldForecast(clock=clock)
    held.remember("c", ["acme", "bolt"], mixture(1, 2))
    clock.pass_by(300)
    np.testing.assert_array_equal(held.recall("c", ["bolt", "acme"]), mixture(2, 1))
    assert held.stats.age_s == 300
    clock.pass_by(0.1)
    assert np.isnan(held.recall("c", ["bolt", "acme"])).all()
    assert held.stats.fallbacks.of(kind="held") == 2
    assert held.stats.fallbacks.of(kind="cautious") == 2


def test_a_new_conversation_gets_the_advertisers_last_one() -> None:
    clock = Clock()
    held = HeldForecast(clock=clock)
    held.remember("c", ["acme"], mixture(1))
    clock.pass_by(1)
    held.remember("d", ["acme"], mixture(2))
    found = held.recall("e", ["acme", "nobody"])
    np.testing.assert_array_equal(found[:1], mixture(2))
    assert np.isnan(found[1]).all() and found.shape == (2, 5) and found.dtype == np.float32
    np.testing.assert_array_equal(held.recall("c", ["acme"]), mixture(1))


def test_what_is_not_finite_is_not_kept_and_nothing_is_shared() -> None:
    held = HeldForecast()
    fresh = mixture(1, 2)
    fresh[1, 3] = np.nan
    held.remember("c", ["acme", "bolt"], fresh)
    fresh[:] = 7
    found = held.recall("c", ["acme", "bolt"])
    np.testing.assert_array_equal(found[0], mixture(1)[0])
    assert np.isnan(found[1]).all()
    assert held.recall("c", []).shape == (0, 5)


def test_held_forecasts_are_bounded() -> None:
    held = HeldForecast(limits=Limits(forecasts_held=4))
    for number in range(10):
        held.remember(f"c{number}", [f"a{number}"], mixture(number))
    found = [not np.isnan(held.recall("x", [f"a{number}"])).any() for number in range(10)]
    assert found == [False] * 8 + [True] * 2
