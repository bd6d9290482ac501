# SPDX-License-Identifier: Apache-2.0
"""Win probability, utility and their derivatives against scipy."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import integrate, stats
from scipy.special import ndtr

from kernels_cuda.mpc import CURVE, MpcError
from tests.mpc.rows import row

F, PDF, SLOPE, U, DU, DDU = range(len(CURVE))


def some(rng: np.random.Generator) -> NDArray[np.float32]:
    mu, sigma = rng.normal(0, 1, 2), rng.uniform(0.05, 1.5, 2)
    return np.array([mu[0], sigma[0], mu[1], sigma[1], rng.random()], np.float32)


def expected(m: NDArray[np.float32], r: float, w: NDArray[np.float64]):
    """F, f and f' by scipy.stats, f' as f (-1 - z / sigma) / (w - r)."""
    mu1, s1, mu2, s2, a = m.astype(float)
    total = np.zeros((3, len(w)))
    for share, mu, s in ((a, mu1, s1), (1 - a, mu2, s2)):
        law = stats.lognorm(s, loc=r, scale=np.exp(mu))
        pdf = law.pdf(w)
        slope = pdf * (-1 - (np.log(w - r) - mu) / s**2) / (w - r)
        total += share * np.array([law.cdf(w), pdf, slope])
    return total


@pytest.mark.spec("MPC-U-01")
@pytest.mark.parametrize("reserve", [0.0, 0.7])
def test_cdf_pdf_and_slope_are_those_of_scipy(mpc, rng, reserve: float) -> None:
    w = reserve + np.geomspace(1e-3, 50, 400)
    for _ in range(50):
        m = some(rng)
        got = mpc.curve(m, row(reserve=reserve)[0], w)
        for column, want in zip((F, PDF, SLOPE), expected(m, reserve, w), strict=True):
            scale = max(1.0, np.abs(want).max())
            np.testing.assert_allclose(got[:, column] / scale, want / scale, rtol=0, atol=1e-12)


def test_phi_keeps_the_digits_of_small_probabilities(mpc) -> None:
    """One component with mu 0, sigma 1: F(e^z) is Phi(z)."""
    z = np.linspace(-10, 8, 2001)
    got = mpc.curve(np.array([0, 1, 0, 1, 1], np.float32), row()[0], np.exp(z))[:, F]
    want = ndtr(np.log(np.exp(z)))
    assert np.abs(got - want).max() < 4e-15
    np.testing.assert_allclose(got, want, rtol=2e-13)


@pytest.mark.spec("MPC-U-01")
def test_limits_and_monotone(mpc, rng) -> None:
    w = np.r_[-1.0, 0.0, 1e-300, np.geomspace(1e-6, 1e6, 2000), 1e300, np.inf]
    for _ in range(20):
        got = mpc.curve(some(rng), row()[0], w)[:, F]
        assert got[0] == got[1] == got[2] == 0 and got[-1] == got[-2] == 1
        assert (np.diff(got) >= 0).all()


@pytest.mark.spec("MPC-U-02")
def test_density_is_positive(mpc, rng) -> None:
    """Wherever float64 can hold it: phi(z) underflows past |z| = 37."""
    w = np.linspace(0.01, 10, 1000)
    for _ in range(100):
        m = some(rng)
        z = (np.log(w)[:, None] - m[[0, 2]]) / m[[1, 3]]
        seen = np.abs(z).min(axis=1) < 37
        got = mpc.curve(m, row()[0], w)[:, PDF]
        assert (got[seen] > 0).all() and (got >= 0).all()


@pytest.mark.spec("MPC-C-03")
@pytest.mark.parametrize("sigma", [0.0, 1e-9, 1e-6])
def test_a_narrow_forecast_is_a_step(mpc, sigma: float) -> None:
    m = np.array([0.0, sigma, 1.0, sigma, 0.5], np.float32)
    w = np.r_[1e-300, 0.5, 1 - 1e-4, 1 + 1e-4, np.e * (1 - 1e-4), np.e * (1 + 1e-4), 1e300]
    got = mpc.curve(m, row()[0], w)
    assert np.isfinite(got).all()
    np.testing.assert_array_equal(got[:, F], [0, 0, 0, 0.5, 0.5, 1, 1])
    alone = mpc.curve(np.array([0, sigma, 0, sigma, 1], np.float32), row()[0], w)[:, F]
    assert set(alone) == {0.0, 1.0}


@pytest.mark.spec("MPC-C-04")
@pytest.mark.parametrize("cost_model", [0, 1])
def test_derivatives_of_u_are_its_differences(mpc, rng, cost_model: int) -> None:
    """U'' is analytic and finite; the seed's difference over 0.01 w approaches it."""
    w = np.geomspace(0.05, 5, 200)
    for _ in range(20):
        m = some(rng)
        m[[1, 3]] += 0.3  # wide enough for a difference over a percent of w
        line = row(cost_model=cost_model, reserve=0.02)[0]
        got = mpc.curve(m, line, w)
        up, down = (mpc.curve(m, line, w * factor) for factor in (1.01, 0.99))
        for value, slope in ((U, DU), (DU, DDU)):
            want = (up[:, value] - down[:, value]) / (0.02 * w)
            assert np.isfinite(got[:, slope]).all()
            scale = np.abs(want).max()
            np.testing.assert_allclose(got[:, slope] / scale, want / scale, rtol=0, atol=2e-2)


def test_expected_charge_is_the_integral_of_what_is_beaten(mpc, rng) -> None:
    """With vcg, U = S F - sum L - H' E[(W + r) 1{W + r <= w}]."""
    for _ in range(5):
        m, r = some(rng), float(rng.uniform(0, 1))
        line = row(cost_model=1, reserve=r)[0]
        for w in (r + 0.05, r + 1.0, r + 8.0):
            y = r + np.geomspace(1e-6, w - r, 40_001)
            charge = integrate.simpson(y * expected(m, r, y)[1], x=y)
            got = mpc.curve(m, line, np.array([w]))[0]
            assert got[U] == pytest.approx(13.5 * got[F] - 1.5 - 3 * charge, abs=2e-6)


@pytest.mark.parametrize("mu", [-900.0, 900.0])
@pytest.mark.parametrize("sigma", [1e-3, 40.0, 1000.0])
def test_nothing_overflows(mpc, mu: float, sigma: float) -> None:
    m = np.array([mu, sigma, 0.0, 1.0, 0.5], np.float32)
    for cost_model in (0, 1):
        got = mpc.curve(m, row(cost_model=cost_model)[0], np.geomspace(1e-9, 1e9, 100))
        assert np.isfinite(got).all()


def test_a_refused_row_has_no_curve(mpc) -> None:
    with pytest.raises(MpcError, match="limit"):
        mpc.curve(np.array([0, -1, 0, 1, 1], np.float32), row()[0], np.ones(1))
