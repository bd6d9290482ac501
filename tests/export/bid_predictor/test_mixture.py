# SPDX-License-Identifier: Apache-2.0
"""The mixture's formulas against scipy and plain integration."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from export.bid_predictor import mixture

MU = st.floats(-4, 4)
SIGMA = st.floats(0.02, 3)
ALPHA = st.floats(0, 1)


@settings(max_examples=30, deadline=None)
@given(st.tuples(MU, SIGMA, MU, SIGMA, ALPHA), MU)
def test_against_scipy(units: tuple[float, float, float, float, float], x: float) -> None:
    mu_1, s_1, mu_2, s_2, alpha = units
    row = torch.tensor([units], dtype=torch.float64)
    value = torch.tensor([x], dtype=torch.float64)
    first, second = norm(mu_1, s_1), norm(mu_2, s_2)
    cdf = alpha * first.cdf(x) + (1 - alpha) * second.cdf(x)
    assert np.isclose(mixture.cdf(row, value).item(), cdf, atol=1e-12)
    density = alpha * first.pdf(x) + (1 - alpha) * second.pdf(x)
    if density > 1e-200:
        nll = mixture.negative_log_likelihood(row, value).item()
        assert np.isclose(nll, -np.log(density), rtol=1e-9, atol=1e-9)
    grid = np.linspace(-25, 25, 10_001)
    below = alpha * first.cdf(grid) + (1 - alpha) * second.cdf(grid)
    crps = np.sum((below - (grid >= x)) ** 2) * (grid[1] - grid[0])
    assert np.isclose(mixture.crps(row, value).item(), crps, atol=5e-3)


def test_mean_and_spread_are_those_of_draws() -> None:
    rng = np.random.default_rng(0)
    pick = rng.random(400_000) < 0.3
    draws = np.where(pick, rng.normal(-1, 0.5, 400_000), rng.normal(2, 1.5, 400_000))
    row = torch.tensor([[-1.0, 0.5, 2.0, 1.5, 0.3]])
    assert abs(mixture.mean(row).item() - draws.mean()) < 0.01
    assert abs(mixture.spread(row).item() - draws.std()) < 0.01


def test_an_alpha_of_0_or_1_has_a_finite_likelihood() -> None:
    rows = torch.tensor([[0.0, 1.0, 9.0, 0.01, 1.0], [9.0, 0.01, 0.0, 1.0, 0.0]])
    nll = mixture.negative_log_likelihood(rows, torch.zeros(2))
    assert torch.allclose(nll, torch.full((2,), 0.9189385))
