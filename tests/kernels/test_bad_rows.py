# SPDX-License-Identifier: Apache-2.0
"""A broken advertiser is dropped without a trace; a broken reference ends the reply."""

from __future__ import annotations

import numpy as np
import pytest

from kernels_cuda import oracle
from kernels_cuda.auction import (
    Auction,
    AuctionError,
    LogitTypeError,
    ReferenceRowError,
    RowStatus,
    ShapeError,
    TemperatureError,
    WeightError,
)
from tests.kernels.cases import Case, make_case


def nan(case: Case) -> RowStatus:
    case.logits[2, 130] = np.nan
    return RowStatus.NOT_FINITE


def infinite(case: Case) -> RowStatus:
    case.logits[2, 7] = np.inf
    return RowStatus.NOT_FINITE


def last_nan(case: Case) -> RowStatus:
    case.logits[2, -1] = np.nan
    return RowStatus.NOT_FINITE


def empty(case: Case) -> RowStatus:
    case.logits[2] = -np.inf
    return RowStatus.EMPTY


def nan_weight(case: Case) -> RowStatus:
    case.weights[2] = np.nan
    return RowStatus.BAD_WEIGHT


def infinite_weight(case: Case) -> RowStatus:
    case.weights[2] = np.inf
    return RowStatus.BAD_WEIGHT


def negative_weight(case: Case) -> RowStatus:
    case.weights[2] = -1e-9
    return RowStatus.BAD_WEIGHT


BREAKS = [nan, infinite, last_nan, empty, nan_weight, infinite_weight, negative_weight]


@pytest.mark.parametrize("breaks", BREAKS, ids=lambda f: f.__name__)
def test_the_others_are_bit_identical_without_it(auction, rng, breaks) -> None:
    for _ in range(10):
        case = make_case(rng, 5, 201, 2.0)
        without = Case(
            np.delete(case.logits, 2, axis=0), np.delete(case.weights, 2), case.temperature
        )
        status = breaks(case)
        got, want = auction.run(*case.args), auction.run(*without.args)
        assert got.row_status.tolist() == [0, 0, status, 0, 0]
        assert (got.token, got.ref_token, got.margin) == (
            want.token,
            want.ref_token,
            want.margin,
        )
        for name in ("p_token", "pay", "critical_bid"):
            values = getattr(got, name)
            assert values[2] == 0.0
            np.testing.assert_array_equal(np.delete(values, 2), getattr(want, name))
        np.testing.assert_array_equal(np.delete(got.w_minus, 2), want.w_minus)
        assert got.row_status.tolist() == oracle.auction(*case.args).row_status.tolist()


def test_every_advertiser_broken_leaves_the_reference(auction, rng) -> None:
    case = make_case(rng, 4, 100)
    case.logits[1:] = np.nan
    got = auction.run(*case.args)
    assert got.token == got.ref_token == case.logits[0].argmax()
    assert (got.pay == 0).all() and (got.w_minus == 0).all()


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_broken_reference_is_refused(auction, rng, value: float) -> None:
    case = make_case(rng, 3, 100)
    case.logits[0, 50] = value
    with pytest.raises(ReferenceRowError):
        auction.run(*case.args)


@pytest.mark.parametrize("value", [np.nan, np.inf, -1.0])
def test_a_broken_reference_weight_is_refused(auction, rng, value: float) -> None:
    case = make_case(rng, 3, 100)
    case.weights[0] = value
    with pytest.raises(ReferenceRowError):
        auction.run(*case.args)


def test_an_empty_reference_is_refused(auction) -> None:
    with pytest.raises(ReferenceRowError):
        auction.run(np.full((1, 9), -np.inf, np.float32), np.ones(1, np.float32), 1.0)


def test_zero_weights_everywhere_are_refused(auction) -> None:
    with pytest.raises(WeightError):
        auction.run(np.zeros((2, 9), np.float32), np.zeros(2, np.float32), 1.0)


@pytest.mark.parametrize("temperature", [0.0, -1.0, np.nan, np.inf, -np.inf])
def test_bad_temperatures_are_refused(auction, temperature: float) -> None:
    with pytest.raises(TemperatureError):
        auction.run(np.zeros((1, 9), np.float32), np.ones(1, np.float32), temperature)


@pytest.mark.parametrize(
    ("logits", "weights", "error"),
    [
        (np.zeros((33, 4), np.float32), np.ones(33), None),
        (np.zeros((34, 4), np.float32), np.ones(34), ShapeError),
        (np.zeros((0, 4), np.float32), np.ones(0), ShapeError),
        (np.zeros((1, 0), np.float32), np.ones(1), ShapeError),
        (np.zeros((1, 1 << 18), np.float32), np.ones(1), None),
        (np.zeros((1, (1 << 18) + 1), np.float32), np.ones(1), ShapeError),
        (np.zeros(4, np.float32), np.ones(1), ShapeError),
        (np.zeros((2, 4), np.float32), np.ones(3), ShapeError),
        (np.zeros((1, 4)), np.ones(1), LogitTypeError),
    ],
)
def test_limits(logits, weights, error: type[AuctionError] | None) -> None:
    with Auction() as auction:
        if error is None:
            assert auction.run(logits, weights, 1.0).token == 0
        else:
            with pytest.raises(error):
                auction.run(logits, weights, 1.0)


def test_a_closed_auction_is_refused_not_crashed() -> None:
    auction = Auction()
    auction.close()
    with pytest.raises(AuctionError):
        auction.run(np.zeros((1, 4), np.float32), np.ones(1), 1.0)


def test_weights_of_any_size(auction, rng) -> None:
    """Bids from 1e-30 to 1e30 beside each other: finite, ordered, in range."""
    case = make_case(rng, 4, 100)
    case.weights[:] = [1.0, 1e30, 1e-30, 0.0]
    got = auction.run(*case.args)
    assert got.token == case.logits[1].argmax()
    ceiling = case.weights.astype(np.float64) * got.p_token
    assert np.isfinite(got.pay).all() and (got.pay <= ceiling).all()
    assert got.p_token[3] > 0  # reported though its weight is 0
