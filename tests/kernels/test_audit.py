# SPDX-License-Identifier: Apache-2.0
"""Audit outputs: each row's best tokens, all rows' logits there, and what they prove."""

from __future__ import annotations

import ctypes

import numpy as np
import pytest

from kernels_cuda import oracle
from kernels_cuda.abi import Top
from kernels_cuda.auction import TOP, Auction, Draw, Outcome
from kernels_cuda.call import Call
from tests.kernels.cases import make_case


def assert_top(got: Outcome, logits: np.ndarray) -> None:
    ids, values = oracle.top_tokens(logits, got.row_status)
    np.testing.assert_array_equal(got.top_id, ids)
    np.testing.assert_array_equal(got.top_logit, values)


@pytest.mark.parametrize("vocab", [1, 5, 15, 16, 17, 64, 65, 1000, 1024, 1025, 20_000])
def test_the_sixteen_best_of_every_row(
    auction: Auction, rng: np.random.Generator, vocab: int
) -> None:
    for rows in (1, 4):
        case = make_case(rng, rows, vocab)
        assert_top(auction.run(*case.args, top=True), case.logits)
        assert_top(auction.run(*case.args, top=True, draw=Draw(1, 2, 3)), case.logits)


@pytest.mark.parametrize(
    "row",
    [
        np.zeros(3000),
        np.arange(3000),
        -np.arange(3000),
        np.arange(3000) % 5,
        np.where(np.arange(3000) % 100 == 99, 1.0, -np.inf),
        np.where(np.arange(3000) % 1000 == 999, 1.0, -np.inf),
        np.r_[np.full(2999, -0.0), 0.0],
    ],
    ids=["equal", "rising", "falling", "cycle", "thirty", "three", "signed zeros"],
)
def test_ties_and_orders(auction: Auction, row: np.ndarray) -> None:
    logits = np.stack([row, row[::-1]]).astype(np.float32)
    assert_top(auction.run(logits, np.ones(2, np.float32), 1.0, top=True), logits)


def test_halves_are_ordered_by_their_value(auction: Auction, rng: np.random.Generator) -> None:
    """Coarse types tie often."""
    case = make_case(rng, 3, 5000, 1.0)
    half = case.logits.astype(np.float16)
    assert_top(auction.run(half, *case.args[1:], top=True), half)
    bits = (case.logits.view(np.uint32) >> 16).astype(np.uint16)
    assert_top(auction.run(bits, *case.args[1:], top=True), oracle.from_bf16(bits))


def test_dropped_rows_have_none(auction: Auction, rng: np.random.Generator) -> None:
    case = make_case(rng, 4, 500)
    case.logits[1, 3] = np.nan
    case.weights[2] = -1.0
    got = auction.run(*case.args, top=True)
    assert got.top_id is not None and got.top_logit is not None
    assert (got.top_id[[1, 2]] == -1).all() and (got.log_z[[1, 2]] == 0).all()
    assert np.isneginf(got.top_logit[[1, 2]]).all()
    assert_top(got, case.logits)


def test_every_row_count(auction: Auction, rng: np.random.Generator) -> None:
    case = make_case(rng, 33, 300)
    assert_top(auction.run(*case.args, top=True), case.logits)


def test_either_output_may_be_left_out(auction: Auction, rng: np.random.Generator) -> None:
    case = make_case(rng, 3, 500)
    want = auction.run(*case.args, top=True)
    for name in ("top_id", "top_logit"):
        call = Call(*case.args, top=True)
        wanted = getattr(call, name)
        addresses = {"id": None, "logit": None, name[4:]: wanted.ctypes.data}
        call.arguments = (*call.arguments[:3], ctypes.byref(Top(**addresses)))
        auction.call(call)
        np.testing.assert_array_equal(wanted, getattr(want, name))


def test_asking_for_them_changes_nothing_else(auction: Auction, rng: np.random.Generator) -> None:
    for draw in (None, Draw(1, 2, 3)):
        case = make_case(rng, 4, 3000)
        plain, asked = (auction.run(*case.args, draw=draw, top=top) for top in (False, True))
        assert plain.top_id is None and plain.top_logit is None
        assert (plain.token, plain.margin) == (asked.token, asked.margin)
        np.testing.assert_array_equal(plain.pay, asked.pay)


@pytest.mark.parametrize("scale", [0.3, 3.0])
@pytest.mark.parametrize("temperature", [0.05, 0.7, 100.0])
def test_log_z_is_the_logarithm_of_the_normaliser(
    auction: Auction, rng: np.random.Generator, scale: float, temperature: float
) -> None:
    t = float(np.float32(temperature))
    for vocab in (10, 5000):
        case = make_case(rng, 3, vocab, scale)
        got = auction.run(case.logits, case.weights, t)
        z = case.logits.astype(np.float64) / t
        want = z.max(axis=1) + np.log(np.exp(z - z.max(axis=1, keepdims=True)).sum(axis=1))
        np.testing.assert_allclose(got.log_z, want, rtol=1e-12, atol=1e-7)


def test_they_suffice_to_check_a_winner_and_its_price(
    auction: Auction, rng: np.random.Generator
) -> None:
    """P at every listed token, and a bound for all others, from the outputs alone.

    Where the bound stays under N(t) and under every B_-i there, no unlisted token can have won or
    set a Clarke payment, so the listed ones give both.
    """
    proven = 0
    for _ in range(40):
        case = make_case(rng, 4, 3000, 3.0)
        got = auction.run(*case.args, top=True)
        assert got.top_id is not None and got.top_logit is not None
        w = case.weights.astype(np.float64)
        logits = got.top_logit.astype(np.float64) / case.temperature
        p = np.exp(logits - got.log_z[:, None])
        bound = w @ np.array([p[k, k * TOP + TOP - 1] for k in range(4)])
        ids, places = np.unique(got.top_id, return_index=True)
        shares = (w[:, None] * p)[:, places]
        without = shares.sum(axis=0) - shares
        if bound > without.max(axis=1).min():
            continue
        proven += 1
        assert ids[shares.sum(axis=0).argmax()] == got.token
        won = int(np.flatnonzero(ids == got.token)[0])
        pay = without.max(axis=1) - without[:, won]
        np.testing.assert_allclose(got.pay[1:], pay[1:], rtol=1e-6, atol=1e-9)
    assert proven > 20


def test_the_definition_on_a_row_small_enough_to_read() -> None:
    logits = np.array([[1.0, 3.0, 3.0, -np.inf]], np.float32)
    ids, values = oracle.top_tokens(logits, np.zeros(1, np.int32))
    assert ids[0, :4].tolist() == [1, 2, 0, -1]
    assert values[0, :4].tolist() == [3.0, 3.0, 1.0, -np.inf]
