# SPDX-License-Identifier: Apache-2.0
"""The maximiser against the oracle, how it gets there, and what the oracle itself rests on."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import optimize

from bls.contracts import Control, Decision
from kernels_cuda import mpc_oracle
from kernels_cuda.bench.mpc_accuracy import measure
from kernels_cuda.bench.mpc_cases import random_control, random_mixture, shelf_cases
from tests.mpc.rows import decide, mixtures, row

NEWTON, BISECTION, GRID = 1, 2, 3


def test_the_oracle_agrees_with_scipy_optimize(rng) -> None:
    mixture = random_mixture(rng, 30)
    rows = random_control(rng, mixture, cost_model=0)
    p = mpc_oracle.problems(mixture, rows)
    w, u = mpc_oracle.solve(p)
    for k in np.flatnonzero(w > 0):
        one = mpc_oracle.problems(mixture[k : k + 1], random_row(p, k, rows))
        near = (w[k] * 0.999 + 0.001 * p.reserve[k, 0], min(w[k] * 1.001, p.w_max[k, 0]))
        found = optimize.minimize_scalar(
            lambda x, one=one: -mpc_oracle.utility(one, np.array([[x]]))[0, 0],
            bounds=near,
            method="bounded",
            options={"xatol": 1e-12},
        )
        ends = mpc_oracle.utility(one, np.array([near]))[0]  # scipy stays inside its bounds
        assert max(-found.fun, *ends) == pytest.approx(u[k], rel=1e-9, abs=1e-9 * p.worth[k, 0])


def random_row(p: mpc_oracle.Problems, k: int, rows: np.ndarray):
    tokens = int(p.tokens[k, 0])
    return row(
        dv=[p.worth[k, 0] - p.loss[k, 0], *[0.0] * (tokens - 1)],
        loss=[p.loss[k, 0], *[0.0] * (tokens - 1)],
        left=tokens,
        horizon=tokens,
        w_max=p.w_max[k, 0],
        reserve=p.reserve[k, 0],
        rival_share=rows[k, Control.RIVAL_SHARE],
    )


@pytest.mark.spec("MPC-U-03")
def test_random_problems_reach_the_oracles_maximum(mpc, rng) -> None:
    got = measure(mpc, rng, 1000)
    assert got.shortfall.max() < 1e-6
    assert got.reported.max() < 1e-9
    assert set(got.method) >= {NEWTON, GRID}


@pytest.mark.spec("MPC-U-03")
@pytest.mark.parametrize("cost_model", [0, 1])
def test_no_bid_where_winning_costs_more_than_it_is_worth(mpc, cost_model: int) -> None:
    """All dV > 0 and L = 0, yet every price is above S / H': U falls from w = 0 on."""
    rows = row(dv=[0.3] * 3, loss=[0.0] * 3, cost_model=cost_model, reserve=0.5)
    weight, decision = decide(mpc, rows)
    assert weight[0] == 0 and decision[0, Decision.W_STAR] == 0
    assert decision[0, Decision.UTILITY] == 0
    line = mpc.curve(mixtures(1)[0], rows[0], np.geomspace(1e-3, 5, 500))
    assert (line[:, 4] <= 0).all()


def test_vcg_bids_the_value_of_a_token(mpc) -> None:
    rows = row(4, cost_model=1, w_max=[5.0, 2.0, 5.0, 5.0], horizon=[3, 3, 1, 8])
    _, decision = decide(mpc, rows)
    np.testing.assert_allclose(decision[:, Decision.W_STAR], [4.5, 2.0, 4.5, 4.5])


def test_never_worse_than_a_plain_grid(mpc, rng) -> None:
    mixture = random_mixture(rng, 300)
    rows = random_control(rng, mixture)
    _, decision = mpc.decide(mixture, np.zeros(300), rows)
    for m, line, decided in zip(mixture, rows, decision, strict=True):
        w_max, r = line[Control.W_MAX], line[Control.RESERVE]
        w = np.minimum(np.r_[0.0, r, np.geomspace(1e-4, 1, 256) * w_max, w_max], w_max)
        u = mpc.curve(m, line, w)[:, 3]
        slack = 1e-9 * max(1.0, np.abs(u).max())
        assert decided[Decision.UTILITY] >= u.max() - slack


@pytest.mark.spec("MPC-U-04")
def test_two_newton_steps_suffice(mpc, rng) -> None:
    """1,000 solved samples of the forecaster's kind; the step not taken is below 1e-4."""
    n = 4000
    mixture = np.column_stack(
        [
            rng.normal(0, 0.7, n),
            rng.uniform(0.05, 1.0, n),
            rng.normal(0, 0.7, n),
            rng.uniform(0.05, 1.0, n),
            rng.random(n),
        ]
    ).astype(np.float32)
    dv = rng.uniform(0, 8, (n, 3))
    rows = row(n, dv=dv, loss=dv * rng.random((n, 1)), w_max=20.0)
    _, decision, steps = mpc.trace(mixture, np.zeros(n), rows)
    solved = np.flatnonzero(np.isin(decision[:, Decision.METHOD], (NEWTON, BISECTION)))[:1000]
    assert len(solved) == 1000
    assert (steps[solved, 0] <= 2).all() and (steps[solved, 1] == 0).all()
    for k in solved[::10]:
        u1, u2 = mpc.curve(mixture[k], rows[k], decision[k, :1])[0, 4:]
        assert u2 < 0 and abs(u1 / u2) < 1e-4


@pytest.mark.spec("MPC-U-05", "MPC-I-06")
def test_flat_shelves_fall_back_to_bisection(mpc, rng) -> None:
    """U' and U'' vanish together beside the maximum: every answer is still the oracle's."""
    mixture, rows = shelf_cases(rng, 12_000)
    weight, decision, steps = mpc.trace(mixture, np.zeros(len(rows)), rows)
    fell = np.flatnonzero(decision[:, Decision.METHOD] == BISECTION)
    assert len(fell) > 50
    assert (steps[fell, 1] > 0).all() and (steps[fell].sum(axis=1) < 16).all()
    assert np.mean(steps[fell].sum(axis=1) < 10) > 0.99
    assert np.isfinite(weight).all()
    some = fell[:150]
    p = mpc_oracle.problems(mixture[some], rows[some])
    _, best = mpc_oracle.solve(p, 300)
    ours = mpc_oracle.utility(p, decision[some, Decision.W_STAR, None])[:, 0]
    assert ((best - ours) / np.maximum(np.abs(best), p.scale)).max() < 1e-6


@pytest.mark.spec("MPC-C-03")
@pytest.mark.parametrize("sigma", [0.0, 1e-6])
@pytest.mark.parametrize("cost_model", [0, 1])
def test_a_certain_price_is_just_beaten(mpc, sigma: float, cost_model: int) -> None:
    weight, decision = decide(mpc, row(cost_model=cost_model), 0.0, sigma, 0.0, sigma, 1.0)
    assert decision[0, Decision.UTILITY] == pytest.approx(13.5 - 1.5 - 3.0, abs=1e-4)
    assert weight[0] > 1.0  # the float that is bid still wins
    if cost_model == 0:
        assert weight[0] < 1.0001
