# SPDX-License-Identifier: Apache-2.0
"""Quantiles, z scores and moments of a mixture against scipy and simulation."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from bls.brain.forecast.pit import moments, tails, z_scores

ROWS = np.array([[0.0, 0.2, 1.0, 0.5, 0.7], [-1, 1, -1, 1, 0], [2, 0.01, 3, 5, 1]], np.float32)


def test_tails_are_scipys_also_far_out() -> None:
    log_w = np.array([0.4, -9.0, 2.02])
    mu_1, s_1, mu_2, s_2, alpha = ROWS.astype(np.float64).T
    below, above = tails(ROWS, log_w)
    for found, of in ((below, "cdf"), (above, "sf")):
        first = getattr(stats.norm, of)(log_w, mu_1, s_1)
        second = getattr(stats.norm, of)(log_w, mu_2, s_2)
        np.testing.assert_allclose(found, alpha * first + (1 - alpha) * second, rtol=1e-10)


@given(st.floats(-36, 36))
def test_z_of_a_single_normal_is_its_standard_score(z: float) -> None:
    one = np.array([[1.0, 0.5, 1.0, 0.5, 0.3]])
    found = z_scores(*tails(one, np.array([1.0 + 0.5 * z])))
    np.testing.assert_allclose(found, [z], rtol=1e-6, atol=1e-6)


def test_z_is_bounded() -> None:
    one = np.array([[0.0, 0.01, 0.0, 0.01, 0.5]] * 2)
    np.testing.assert_allclose(
        z_scores(*tails(one, np.array([-9.0, 9.0]))), [-37.05, 37.05], atol=0.01
    )


def test_moments_are_those_of_draws() -> None:
    rng = np.random.default_rng(1)
    mu, sigma = moments(ROWS[:1])
    first = rng.random(400_000) < 0.7
    draws = np.where(first, rng.normal(0, 0.2, 400_000), rng.normal(1, 0.5, 400_000))
    np.testing.assert_allclose([mu[0], sigma[0]], [draws.mean(), draws.std()], atol=5e-3)
