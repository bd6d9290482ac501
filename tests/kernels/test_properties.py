# SPDX-License-Identifier: Apache-2.0
"""What the argmax mechanism promises, on replies hypothesis makes up.

Logits are multiples of 1/4 in a small range, so that equal blends, equal rows and tokens nobody
wants all occur; bids include 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from kernels_cuda.auction import Auction
from tests.kernels.cases import Case

TINY = 1e-9
FACTORS = [0.0, 0.25, 0.5, 0.8, 0.95, 1.05, 1.25, 2.0, 4.0]

many = settings(
    max_examples=120,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
)


@dataclass(frozen=True)
class Reply(Case):
    """A case and the advertiser looked at."""

    row: int

    def bidding(self, weight: float) -> Case:
        weights = self.weights.copy()
        weights[self.row] = weight
        return Case(self.logits, weights, self.temperature)


@st.composite
def replies(draw: st.DrawFn) -> Reply:
    rows = draw(st.integers(2, 5))
    vocab = draw(st.sampled_from([2, 3, 7, 65, 300]))
    seed = draw(st.integers(0, 2**32 - 1))
    spread = draw(st.sampled_from([1, 4, 12, 24]))
    quarters = np.random.default_rng(seed).integers(-spread, spread + 1, size=(rows, vocab))
    bids = draw(
        st.lists(st.sampled_from([0.0, 0.1, 0.5, 1.0, 3.0]), min_size=rows - 1, max_size=rows - 1)
    )
    return Reply(
        (quarters / 4).astype(np.float32),
        np.array([1.0, *bids], np.float32),
        draw(st.sampled_from([0.25, 0.5, 1.0, 2.0])),
        draw(st.integers(1, rows - 1)),
    )


@many
@given(reply=replies())
def test_a_payment_lies_between_zero_and_the_reported_value(auction: Auction, reply: Reply) -> None:
    got = auction.run(*reply.args)
    assert (got.pay >= 0).all()
    assert (got.pay <= reply.weights.astype(np.float64) * got.p_token).all()
    assert (got.critical_bid >= 0).all()
    assert (got.critical_bid <= reply.weights.astype(np.float64)).all()


@many
@given(reply=replies())
def test_a_token_that_wins_without_the_bidder_is_free(auction: Auction, reply: Reply) -> None:
    got, without = auction.run(*reply.args), auction.run(*reply.bidding(0.0).args)
    assert without.pay[reply.row] == 0
    if without.token == got.token:
        assert got.pay[reply.row] == 0 and got.critical_bid[reply.row] == 0


@many
@given(reply=replies())
def test_a_payment_does_not_fall_when_the_bid_rises(auction: Auction, reply: Reply) -> None:
    bids = np.linspace(0, 6, 25)
    pays = [auction.run(*reply.bidding(float(bid)).args).pay[reply.row] for bid in bids]
    assert np.diff(pays).min() >= -TINY


@many
@given(reply=replies(), seed=st.integers(0, 2**32 - 1))
def test_relabelling_tokens_changes_their_ids_only(
    auction: Auction, reply: Reply, seed: int
) -> None:
    order = np.random.default_rng(seed).permutation(reply.logits.shape[1])
    got = auction.run(*reply.args)
    moved = auction.run(np.ascontiguousarray(reply.logits[:, order]), *reply.args[1:])
    np.testing.assert_allclose(moved.margin, got.margin, rtol=0, atol=TINY)
    assume(got.margin > TINY)  # among equals the ids themselves decide
    assert order[moved.token] == got.token
    np.testing.assert_allclose(moved.pay, got.pay, rtol=1e-9, atol=TINY)
    np.testing.assert_allclose(moved.critical_bid, got.critical_bid, rtol=1e-6, atol=TINY)


@many
@given(reply=replies())
def test_no_misreported_bid_gains(auction: Auction, reply: Reply) -> None:
    value = float(reply.weights[reply.row])
    assume(value > 0)

    def utility(bid: float) -> float:
        got = auction.run(*reply.bidding(bid).args)
        return value * float(got.p_token[reply.row]) - float(got.pay[reply.row])

    truthful = utility(value)
    assert truthful >= -TINY
    for factor in FACTORS:
        assert utility(value * factor) <= truthful + TINY


@many
@given(reply=replies(), copies=st.integers(2, 4), seed=st.integers(0, 2**32 - 1))
def test_the_lowest_of_equal_winners_is_chosen(
    auction: Auction, reply: Reply, copies: int, seed: int
) -> None:
    """Some tokens that every row likes best, and equally: the first wins, flagged, for nothing."""
    vocab = reply.logits.shape[1]
    assume(vocab > copies)
    places = np.random.default_rng(seed).choice(vocab, copies, replace=False)
    logits = reply.logits.copy()
    logits[:, places] = logits.max(axis=1, keepdims=True) + 1
    got = auction.run(logits, *reply.args[1:])
    assert (got.token, got.ref_token, got.margin) == (places.min(), places.min(), 0.0)
    assert got.near_tie and (got.pay == 0).all() and (got.critical_bid == 0).all()
