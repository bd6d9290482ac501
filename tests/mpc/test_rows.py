# SPDX-License-Identifier: Apache-2.0
"""Rows are independent, uncontrolled ones untouched, bad ones refused alone."""

from __future__ import annotations

import time

import numpy as np
import pytest

from bls.contracts import AD_TOKENS, CONTROL, Control, Decision
from kernels_cuda.bench.mpc_cases import random_control, random_mixture
from kernels_cuda.mpc import METHOD_REFUSED, Mpc, MpcError, Path, control, uncontrolled
from tests.mpc.rows import decide, mixtures, row


@pytest.mark.parametrize("bid", [0.25, -1.0, np.nan, np.inf])
def test_an_uncontrolled_row_keeps_its_bid_bit_for_bit(mpc, bid: float) -> None:
    rows = uncontrolled(2)
    rows[:, 1:] = np.nan  # nothing else is read
    bids = np.full(2, bid, np.float32)
    weight, decision = mpc.decide(np.full((2, 5), np.nan, np.float32), bids, rows)
    assert weight.tobytes() == bids.tobytes()
    want = np.zeros(8)
    want[Decision.PLAN_ID] = -1
    np.testing.assert_array_equal(decision, [want, want])


BAD_CONTROL = [
    (Control.CONTROLLED, [np.nan, 0.5, 2, -1]),
    (Control.HORIZON, [np.nan, 0, 9, 2.5, -1]),
    (Control.LAMBDA_RISK, [np.nan, 0, -1, np.inf]),
    (Control.MOMENTUM, [np.nan, 0, 1.5, np.inf]),
    (Control.SIGMA_MAX, [np.nan, 0, -1, np.inf]),
    (Control.W_MAX, [np.nan, -1, np.inf, 2e12]),
    (Control.COST_MODEL, [np.nan, 2, 0.5, -1]),
    (Control.RESERVE, [np.nan, -1, np.inf, 2e12]),
    (Control.BUDGET_LEFT, [np.nan, np.inf, -np.inf]),
    (Control.TIME_LEFT, [np.nan, np.inf, -np.inf]),
    (Control.SPEND_RATE, [np.nan, -1, np.inf]),
    (Control.NEG_CNT, [np.nan, -1, 0.5, np.inf]),
    (Control.LEFT, [np.nan, -1, 49, 1.5]),
    (16, [np.nan, np.inf, 2e12]),
    (16 + AD_TOKENS + 2, [np.nan, -np.inf, -2e12]),
]
BAD_MIXTURE = [
    (0, [np.nan, np.inf, 2e3]),
    (1, [np.nan, -0.1, np.inf, 2e3]),
    (2, [np.nan, -np.inf, -2e3]),
    (3, [np.nan, -0.1, np.inf]),
    (4, [np.nan, -0.1, 1.1]),
]


def assert_refused_alone(mpc, mixture, rows, at: int) -> None:
    good_weight, good = decide(mpc, row(len(rows)))
    weight, decision = mpc.decide(mixture, np.full(len(rows), 0.25, np.float32), rows)
    assert weight[at] == 0
    assert list(decision[at]) == [0, 0, 0, 0, 0, 0, -1, METHOD_REFUSED]
    others = np.arange(len(rows)) != at
    assert (weight[others] == good_weight[others]).all()
    assert (decision[others] == good[others]).all()


@pytest.mark.parametrize(("place", "values"), BAD_CONTROL, ids=str)
def test_a_bad_control_refuses_its_row_alone(mpc, place: int, values: list[float]) -> None:
    for value in values:
        rows = row(3)
        rows[1, place] = value
        assert_refused_alone(mpc, mixtures(3), rows, 1)


@pytest.mark.parametrize(("place", "values"), BAD_MIXTURE, ids=str)
def test_a_bad_forecast_refuses_its_row_alone(mpc, place: int, values: list[float]) -> None:
    for value in values:
        mixture = mixtures(3)
        mixture[2, place] = value
        assert_refused_alone(mpc, mixture, row(3), 2)


def test_past_left_nothing_is_read(mpc) -> None:
    rows = row(2, left=2)
    rows[1, 18:64] = rows[1, 66:] = np.nan
    _, decision = decide(mpc, rows)
    assert (decision[0] == decision[1]).all()


def test_rows_do_not_depend_on_their_company(mpc, rng) -> None:
    mixture = random_mixture(rng, 300)
    rows, bid = random_control(rng, mixture), np.ones(300, np.float32)
    weight, decision = mpc.decide(mixture, bid, rows)
    for k in rng.integers(0, 300, 20):
        part = slice(k, k + 1)
        alone = mpc.decide(mixture[part], bid[part], rows[part])
        assert (alone[0] == weight[part]).all() and (alone[1] == decision[part]).all()


def test_every_call_has_the_same_bits(mpc, rng) -> None:
    mixture = random_mixture(rng, 500)
    rows, bid = random_control(rng, mixture), np.ones(500, np.float32)
    first = [each.tobytes() for each in mpc.decide(mixture, bid, rows)]
    for _ in range(5):
        assert [each.tobytes() for each in mpc.decide(mixture, bid, rows)] == first


def test_paths_agree(mpc, rng) -> None:
    """They share the algorithm and differ in rounding: the same utility, hence nearly one w."""
    mixture = random_mixture(rng, 2000)
    rows, bid = random_control(rng, mixture), np.zeros(2000, np.float32)
    _, ours = mpc.decide(mixture, bid, rows)
    _, twin = Mpc(Path.SCALAR).decide(mixture, bid, rows)
    scale = np.maximum(1.0, np.abs(twin[:, Decision.UTILITY]))
    assert (np.abs(ours - twin)[:, Decision.UTILITY] / scale).max() < 1e-9
    np.testing.assert_array_equal(ours[:, Decision.NEG_CNT :], twin[:, Decision.NEG_CNT :])
    np.testing.assert_allclose(ours[:, Decision.W_STAR], twin[:, Decision.W_STAR], rtol=1e-5)


def test_no_rows_is_no_work(mpc) -> None:
    weight, decision = decide(mpc, row(0))
    assert weight.shape == (0,) and decision.shape == (0, 8)


@pytest.mark.parametrize("wrong", ["mixture", "bid", "control"])
def test_arrays_that_do_not_fit_are_refused_by_name(mpc, wrong: str) -> None:
    given = {"mixture": mixtures(3), "bid": np.zeros(3, np.float32), "control": row(3)}
    given[wrong] = given[wrong][:2] if wrong != "control" else given[wrong][:, :100]
    with pytest.raises(MpcError, match=f"{wrong}: expected"):
        mpc.decide(given["mixture"], given["bid"], given["control"])


def test_control_fills_places_by_name() -> None:
    made = row(2, dv=[[1, 2], [3, 4]], loss=[5], neg_cnt=[6, 7], reserve=0.5)
    assert made.shape == (2, CONTROL)
    assert list(made[1, [Control.CONTROLLED, Control.NEG_CNT, Control.RESERVE]]) == [1, 7, 0.5]
    assert list(made[1, 16:19]) == [3, 4, 0] and list(made[1, 64:66]) == [5, 0]
    with pytest.raises(ValueError, match="dv: expected"):
        row(2, dv=np.zeros((2, 49)))
    with pytest.raises(TypeError, match="horzion"):
        control(1, horzion=3)  # type: ignore[call-arg]


def test_unknown_path_and_missing_library_are_refused(tmp_path) -> None:
    with pytest.raises(MpcError, match="path"):
        Mpc(7)  # type: ignore[arg-type]
    with pytest.raises(FileNotFoundError, match="run make -C kernels_cuda"):
        Mpc(library=tmp_path / "libskynet_mpc.so")


@pytest.mark.spec("MPC-C-02")
def test_a_token_takes_far_less_than_12_ms(built, rng) -> None:
    """The seed's bound on a CPU; 10,000 tokens of four rows, about a thousandth of it each."""
    mpc, mixture = Mpc(), random_mixture(rng, 4)
    rows, bid, seconds = random_control(rng, mixture), np.ones(4, np.float32), []
    for _ in range(10_000):
        start = time.perf_counter()
        mpc.decide(mixture, bid, rows)
        seconds.append(time.perf_counter() - start)
    assert np.percentile(seconds, 95) <= 12e-3
