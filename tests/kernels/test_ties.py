# SPDX-License-Identifier: Apache-2.0
"""Ties go to the lowest token id on every path, and are flagged."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kernels_cuda import oracle
from kernels_cuda.auction import Auction
from tests.kernels.cases import make_case


@pytest.mark.parametrize("vocab", [2, 64, 65, 1000, 50_007])
def test_uniform_rows_give_token_zero(auction: Auction, vocab: int) -> None:
    got = auction.run(np.zeros((3, vocab), np.float32), np.ones(3, np.float32), 1.0)
    assert (got.token, got.ref_token, got.margin, got.near_tie) == (0, 0, 0.0, True)
    assert (got.pay == 0).all() and (got.critical_bid == 0).all()


def test_a_lone_token_is_no_tie(auction: Auction) -> None:
    got = auction.run(np.zeros((2, 1), np.float32), np.ones(2, np.float32), 1.0)
    assert (got.token, got.near_tie) == (0, False)
    assert got.margin == pytest.approx(2.0)


def test_exact_ties_far_apart(auction: Auction, rng: np.random.Generator) -> None:
    for _ in range(30):
        case = make_case(rng, 3, 5000)
        first, second, third = sorted(rng.choice(5000, size=3, replace=False))
        for token in (first, second, third):
            case.logits[:, token] = 20.0
        got = auction.run(*case.args)
        assert (got.token, got.ref_token, got.near_tie) == (first, first, True)
        assert got.margin == 0.0 and (got.pay == 0).all()


def test_ties_between_different_bidders(auction: Auction) -> None:
    """Rows 1 and 2 want different tokens equally: equal only in real arithmetic."""
    rng = np.random.default_rng(5)
    for _ in range(30):
        z = (rng.normal(size=(3, 500)) * 3).astype(np.float32)
        z[0] = 0.0
        z[2] = z[1][::-1]
        got = auction.run(z, np.array([0.1, 1.7, 1.7], np.float32), 0.7)
        top = int(oracle.softmax(z[1].astype(np.float64), 0.7).argmax())
        assert got.token == min(top, 499 - top)
        assert got.near_tie


def test_a_hair_apart_is_decided_in_double(auction: Auction) -> None:
    """One float32 step in one logit decides, whichever side it is on."""
    z = np.zeros((2, 3000), np.float32)
    z[:, 10] = z[:, 2900] = 8.0
    for token in (10, 2900):
        nudged = z.copy()
        nudged[1, token] = np.nextafter(np.float32(8), np.float32(9))
        got = auction.run(nudged, np.array([1.0, 1e-3], np.float32), 1.0)
        assert (got.token, got.near_tie) == (token, True)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    rows=st.lists(st.lists(st.integers(-2, 2), min_size=6, max_size=6), min_size=2, max_size=4),
    bids=st.lists(st.sampled_from([0.0, 0.5, 1.0, 2.0]), min_size=3, max_size=3),
)
def test_small_integer_logits_tie_as_in_the_oracle(
    auction: Auction, rows: list[list[int]], bids: list[float]
) -> None:
    logits = np.array(rows, np.float32)
    weights = np.array([1.0, *bids], np.float32)[: len(rows)]
    got, want = auction.run(logits, weights, 1.0), oracle.auction(logits, weights, 1.0)
    assert (got.token, got.ref_token, got.near_tie) == (want.token, want.ref_token, want.near_tie)
    np.testing.assert_allclose(got.pay, want.pay, rtol=0, atol=1e-9)
    np.testing.assert_allclose(got.critical_bid, want.critical_bid, rtol=0, atol=1e-6)
