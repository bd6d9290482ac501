# SPDX-License-Identifier: Apache-2.0
"""Every path gives the oracle's winner bit for bit, and its numbers closely."""

from __future__ import annotations

import numpy as np
import pytest

from kernels_cuda import oracle
from kernels_cuda.auction import Auction, Outcome, Path
from tests.kernels.cases import make_case


def assert_same(got: Outcome, want: oracle.Outcome) -> None:
    assert (got.token, got.ref_token) == (want.token, want.ref_token)
    assert got.near_tie == want.near_tie
    assert got.margin == pytest.approx(want.margin, rel=0, abs=2e-8)
    np.testing.assert_allclose(got.p_token, want.p_token, rtol=2e-8, atol=1e-12)
    np.testing.assert_allclose(got.pay, want.pay, rtol=0, atol=2e-8)
    np.testing.assert_allclose(got.critical_bid, want.critical_bid, rtol=0, atol=1e-6)
    np.testing.assert_allclose(got.w_minus, want.w_minus, rtol=1e-6)
    np.testing.assert_array_equal(got.row_status, want.row_status)


@pytest.mark.spec("AUC-U-02")
def test_winner_is_numpys(auction: Auction, rng: np.random.Generator) -> None:
    for _ in range(512):
        case = make_case(rng, rows=int(rng.integers(1, 6)), vocab=int(rng.integers(2, 400)))
        logits = case.logits.astype(np.float64) / case.temperature
        p = np.exp(logits - logits.max(axis=1, keepdims=True))
        p /= p.sum(axis=1, keepdims=True)
        winner = int((case.weights.astype(np.float64) @ p).argmax())
        assert auction.run(*case.args).token == winner


@pytest.mark.spec("AUC-U-09")
@pytest.mark.parametrize("scale", [0.1, 1.0, 3.0, 8.0])
def test_matches_oracle(auction: Auction, rng: np.random.Generator, scale: float) -> None:
    for _ in range(25):
        case = make_case(rng, int(rng.integers(1, 9)), int(rng.choice([65, 300, 3000])), scale)
        assert_same(auction.run(*case.args), oracle.auction(*case.args))


@pytest.mark.spec("AUC-U-09")
def test_fast_paths_agree_with_the_twin(rng: np.random.Generator) -> None:
    with Auction(Path.SCALAR) as twin, Auction() as fast:
        for _ in range(100):
            case = make_case(rng, rows=4, vocab=500)
            slow, quick = twin.run(*case.args), fast.run(*case.args)
            assert (slow.token, slow.ref_token) == (quick.token, quick.ref_token)
            np.testing.assert_allclose(quick.pay, slow.pay, rtol=0, atol=2e-8)


@pytest.mark.parametrize("vocab", [1, 2, 7, 63, 64, 65, 127, 128, 129])
def test_small_vocabularies(auction: Auction, rng: np.random.Generator, vocab: int) -> None:
    for _ in range(5):
        case = make_case(rng, 3, vocab)
        assert_same(auction.run(*case.args), oracle.auction(*case.args))


@pytest.mark.parametrize("rows", range(1, 34))
def test_every_row_count(auction: Auction, rng: np.random.Generator, rows: int) -> None:
    case = make_case(rng, rows, 300)
    assert_same(auction.run(*case.args), oracle.auction(*case.args))


@pytest.mark.parametrize("scale", [1.0, 4.0])
def test_real_vocabulary(auction: Auction, rng: np.random.Generator, scale: float) -> None:
    case = make_case(rng, 4, 49_152, scale)
    assert_same(auction.run(*case.args), oracle.auction(*case.args))


def test_largest_vocabulary(rng: np.random.Generator) -> None:
    case = make_case(rng, 2, 152_064)
    with Auction() as auction:
        assert_same(auction.run(*case.args), oracle.auction(*case.args))


@pytest.mark.parametrize("temperature", [1e-3, 0.02, 30.0, 1e4])
def test_extreme_temperatures(
    auction: Auction, rng: np.random.Generator, temperature: float
) -> None:
    case = make_case(rng, 4, 500)
    t = float(np.float32(temperature))
    got = auction.run(case.logits, case.weights, t)
    want = oracle.auction(case.logits, case.weights, t)
    assert (got.token, got.ref_token) == (want.token, want.ref_token)
    np.testing.assert_allclose(got.p_token, want.p_token, rtol=1e-7, atol=1e-12)
    np.testing.assert_allclose(got.pay, want.pay, rtol=0, atol=2e-8)


@pytest.mark.parametrize("temperature", [1e-45, 1e-30, 1e30, 3e38])
def test_absurd_temperatures_stay_finite(auction: Auction, temperature: float) -> None:
    logits = np.array([[0, 1, -np.inf, 3e38], [-3e38, 2, 2, 1]], np.float32)
    got = auction.run(logits, np.ones(2, np.float32), temperature)
    for value in (got.margin, *got.p_token, *got.pay, *got.critical_bid):
        assert np.isfinite(value) and value >= 0
    assert got.ref_token == 3


@pytest.mark.parametrize("offset", [-1e4, 1e4, 3e5])
def test_softmax_subtracts_the_maximum(
    auction: Auction, rng: np.random.Generator, offset: float
) -> None:
    case = make_case(rng, 3, 300)
    shifted = np.round(case.logits * 16) / 16 + np.float32(offset)  # exact in float32
    assert_same(auction.run(shifted, case.weights, 0.5), oracle.auction(shifted, case.weights, 0.5))


def test_half_precision_logits(auction: Auction, rng: np.random.Generator) -> None:
    for vocab in (1, 63, 64, 1000):
        case = make_case(rng, 4, vocab)
        half = case.logits.astype(np.float16)
        assert_same(
            auction.run(half, case.weights, case.temperature),
            oracle.auction(half, case.weights, case.temperature),
        )
        bits = (case.logits.view(np.uint32) >> 16).astype(np.uint16)
        assert_same(
            auction.run(bits, case.weights, case.temperature),
            oracle.auction(oracle.from_bf16(bits), case.weights, case.temperature),
        )


def test_rows_may_be_strided(auction: Auction, rng: np.random.Generator) -> None:
    case = make_case(rng, 4, 300)
    padded = np.full((4, 320), np.nan, np.float32)
    padded[:, :300] = case.logits
    got = auction.run(padded[:, :300], case.weights, case.temperature)
    assert_same(got, oracle.auction(*case.args))


def test_impossible_tokens_never_win(auction: Auction, rng: np.random.Generator) -> None:
    for _ in range(20):
        case = make_case(rng, 3, 300)
        barred = rng.random(300) < 0.5
        case.logits[:, barred] = -np.inf
        got = auction.run(*case.args)
        assert not barred[got.token]
        assert_same(got, oracle.auction(*case.args))


def test_one_hot_rows(auction: Auction) -> None:
    logits = np.full((2, 1000), -np.inf, np.float32)
    logits[0, 700] = logits[1, 30] = 0.0
    got = auction.run(logits, np.array([1.0, 3.0], np.float32), 1.0)
    assert (got.token, got.ref_token) == (30, 700)
    assert got.margin == pytest.approx(2.0)
    assert got.pay[1] == pytest.approx(1.0) and got.critical_bid[1] == pytest.approx(1.0)
