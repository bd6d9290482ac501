# SPDX-License-Identifier: Apache-2.0
"""Stable-sampling payments: the closed form to the last digits, and its expectation."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal, getcontext

import numpy as np
import pytest

from kernels_cuda import oracle
from kernels_cuda.auction import Auction, Draw
from tests.kernels.cases import Case, make_case

getcontext().prec = 60
FIRST = Draw(seed=11, conv=3, index=0)


def charge(b: float, s: float) -> Decimal:
    """K in 60 digits."""
    weight, others = Decimal(b), Decimal(s)
    share = others * weight / (others + weight)
    return others * (1 + weight / others).ln() - share


def shares(case: Case, row: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """P_row, q_-row and q in float64."""
    p = oracle.softmax(case.logits.astype(np.float64), case.temperature)
    w = case.weights.astype(np.float64)
    without = np.delete(w, row) @ np.delete(p, row, axis=0)
    return p[row], without / np.delete(w, row).sum(), w @ p / w.sum()


RATIOS = [1e-12, 1e-9, 1e-6, 1e-3, 0.1, 0.111, 0.125, 0.15, 1.0, 8.0, 1e3, 1e9]


@pytest.mark.parametrize("ratio", RATIOS)
def test_the_oracles_charge_is_right_for_any_bid(ratio: float) -> None:
    for s in (1e-20, 0.3, 7.0, 1e20):
        want = float(charge(ratio * s, s))
        assert oracle.stable_charge(ratio * s, s) == pytest.approx(want, rel=1e-12)


@pytest.mark.parametrize("ratio", RATIOS)
def test_the_payment_is_right_for_any_bid(
    auction: Auction, rng: np.random.Generator, ratio: float
) -> None:
    """Against K in 60 digits; the other rows' weights add up to 1.5."""
    case = make_case(rng, 3, 40, 1.0)
    case.weights[:] = [1.0, 1.5 * ratio, 0.5]
    b = float(case.weights[1])
    p, q_without, _ = shares(case, 1)
    for index in range(20):
        got = auction.run(*case.args, draw=replace(FIRST, index=index))
        t = got.token
        lead = max(0.0, p[t] - q_without[t])
        blend = b * p[t] + 1.5 * q_without[t]
        want = lead / blend * (1.5 + b) * float(charge(b, 1.5))
        assert got.pay[1] == pytest.approx(want, rel=1e-7, abs=1e-300)


@pytest.mark.parametrize("weight", [0.01, 0.3, 1.0, 5.0])
def test_the_mean_payment_over_draws_is_its_expectation(
    auction: Auction, rng: np.random.Generator, weight: float
) -> None:
    """Monte Carlo: E pay_i = TV(P_i, q_-i) K, within four standard errors."""
    case = make_case(rng, 3, 12, 1.0)
    case.weights[:] = [1.0, weight, 0.6]
    pays = np.array(
        [auction.run(*case.args, draw=replace(FIRST, index=i)).pay[1] for i in range(6000)]
    )
    p, q_without, _ = shares(case, 1)
    b, s = float(case.weights[1]), float(case.weights[[0, 2]].astype(np.float64).sum())
    want = np.abs(p - q_without).sum() / 2 * float(charge(b, s))
    assert abs(pays.mean() - want) < 4 * pays.std() / np.sqrt(len(pays))


@pytest.mark.parametrize("weight", [1e-6, 0.3, 20.0])
def test_the_expectation_is_exact_over_all_tokens(
    auction: Auction, rng: np.random.Generator, weight: float
) -> None:
    """Every token of six, weighed by its probability, no chance left in it."""
    case = make_case(rng, 2, 6, 0.3)
    case.weights[:] = [1.0, weight]
    p, q_without, q = shares(case, 1)
    pay: dict[int, float] = {}
    for index in range(2000):
        got = auction.run(*case.args, draw=replace(FIRST, index=index))
        pay[got.token] = float(got.pay[1])
    assert sorted(pay) == list(range(6))
    want = np.abs(p - q_without).sum() / 2 * float(charge(float(case.weights[1]), 1.0))
    assert sum(q[t] * paid for t, paid in pay.items()) == pytest.approx(want, rel=1e-7)


def test_payments_scale_with_the_currency(auction: Auction, rng: np.random.Generator) -> None:
    case = make_case(rng, 4, 100)
    dear = Case(case.logits, case.weights * np.float32(2**20), case.temperature)
    for index in range(30):
        draw = replace(FIRST, index=index)
        cheap, same = auction.run(*case.args, draw=draw), auction.run(*dear.args, draw=draw)
        assert cheap.token == same.token
        np.testing.assert_allclose(same.pay, cheap.pay * 2**20, rtol=1e-12)


def test_nothing_is_paid_for_saying_what_the_others_say(
    auction: Auction, rng: np.random.Generator
) -> None:
    for vocab in (50, 5000):
        case = make_case(rng, 3, vocab, 2.0)
        case.logits[:] = case.logits[0]
        for index in range(30):
            got = auction.run(*case.args, draw=replace(FIRST, index=index))
            assert (got.pay == 0).all()


def test_nothing_is_paid_without_weight_or_alone(
    auction: Auction, rng: np.random.Generator
) -> None:
    case = make_case(rng, 3, 50)
    for weights in ([1.0, 0.0, 2.0], [0.0, 2.0, 0.0]):
        case.weights[:] = weights
        for index in range(20):
            got = auction.run(*case.args, draw=replace(FIRST, index=index))
            assert got.pay[1] == 0
    assert got.drawn_row == 1


def test_small_differences_keep_their_digits(auction: Auction, rng: np.random.Generator) -> None:
    """Rows that differ by a part in ten thousand: the payment is the difference of two sums."""
    for vocab in (300, 20_000):
        base = rng.normal(size=vocab) * 2
        logits = np.stack([base, base + rng.normal(size=vocab) * 1e-4]).astype(np.float32)
        weights = np.array([1.0, 0.7], np.float32)
        for index in range(20):
            draw = replace(FIRST, index=index)
            got = auction.run(logits, weights, 0.7, draw=draw)
            want = oracle.auction(logits, weights, float(np.float32(0.7)), draw)
            assert got.pay[1] == pytest.approx(want.pay[1], rel=1e-6)
