# SPDX-License-Identifier: Apache-2.0
"""A proof never claims what is false, a refutation never denies what is true.

Truth comes from all logits; the record gets the best m tokens of each row only, with m as small as
1, so that what wins or sets a price is often outside.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bls.settlement.bounds import Bounds, Verdict
from bls.settlement.events import Events
from bls.settlement.philox import uniforms
from bls.settlement.prices import Prices, p_token_verdicts
from bls.settlement.winner import drawn_rows, winners
from kernels_cuda import oracle

SEEDS = st.integers(0, 2**32 - 1)
FLOAT = np.float64


def event(rng: np.random.Generator, top: int) -> tuple[Events, np.ndarray]:
    """One random token with its true outcome, and every P [R, V]."""
    rows, vocab = int(rng.integers(2, 6)), int(rng.integers(2, 40))
    logits = rng.normal(size=(rows, vocab)).astype(np.float32) * rng.choice([0.3, 1.5, 4.0])
    if rng.random() < 0.3:
        logits[:, rng.integers(vocab)] = -np.inf
    weights = rng.uniform(0, 2, rows).astype(np.float32)
    truth = oracle.auction(logits, weights, 0.7)
    scaled = logits.astype(FLOAT) / 0.7
    log_z = np.log(np.exp(scaled - scaled.max(axis=1, keepdims=True)).sum(axis=1))
    log_z += scaled.max(axis=1)
    best = np.argsort(-logits, axis=1, kind="stable")[:, :top]
    possible = np.take_along_axis(logits, best, axis=1) > -np.inf
    ids = np.unique(best[possible])
    column = [np.array([value]) for value in (False, False, False, truth.near_tie)]
    sampled, by_critical_bid, policy, near_tie = column
    return Events(
        keys=[("c", "r", 0)],
        advertisers=[("a",) * (rows - 1)],
        top=top,
        sampled=sampled,
        by_critical_bid=by_critical_bid,
        policy=policy,
        near_tie=near_tie,
        draw=rng.integers(0, 2**63, (1, 3), dtype=np.uint64),
        temperature=np.array([0.7]),
        micros_per_weight=np.array([1_000]),
        token=np.array([truth.token]),
        ref_token=np.array([truth.ref_token]),
        weights=weights.astype(FLOAT)[None],
        live=np.ones((1, rows), bool),
        pay=truth.pay[None],
        critical_bid=truth.critical_bid[None],
        p_token=truth.p_token[None],
        log_z=log_z[None],
        ids=ids.astype(np.int32)[None],
        logits=logits[:, ids].T[None],
    ), np.exp(scaled - log_z[:, None])


def judge(events: Events) -> tuple[Verdict, Verdict, Verdict]:
    """Verdicts on the winner, the payments and the critical bids."""
    bounds = Bounds.of(events)
    prices = Prices.of(events, bounds)
    pays = prices.pay.verdicts(events.pay, events.weights).min()
    bids = prices.critical_bid.verdicts(events.critical_bid, events.weights).min()
    return Verdict(winners(events, bounds)[0]), Verdict(pays), Verdict(bids)


@settings(max_examples=400, deadline=None)
@given(SEEDS, st.integers(1, 6))
def test_true_claims_are_never_refuted_and_prices_lie_within_bounds(seed: int, top: int) -> None:
    events, _ = event(np.random.default_rng(seed), top)
    assert Verdict.REFUTED not in judge(events)
    bounds = Bounds.of(events)
    prices = Prices.of(events, bounds)
    for interval, price in ((prices.pay, events.pay), (prices.critical_bid, events.critical_bid)):
        assert (interval.low <= price + 1e-6).all() and (price <= interval.high + 1e-6).all()
    assert p_token_verdicts(events, bounds)[0] != Verdict.REFUTED


@settings(max_examples=400, deadline=None)
@given(SEEDS, st.integers(1, 6))
def test_a_wrong_winner_is_never_proven(seed: int, top: int) -> None:
    rng = np.random.default_rng(seed)
    events, p = event(rng, top)
    blend = events.weights[0] @ p
    for token in blend.argsort()[::-1][:6]:  # the likeliest to be taken for the winner
        if blend[token] < blend.max() * (1 - 1e-4):
            wrong = replace(events, token=np.array([token]), p_token=p[None, :, token])
            assert judge(wrong)[0] != Verdict.PROVEN


@settings(max_examples=300, deadline=None)
@given(SEEDS, st.integers(1, 6), st.sampled_from([0.5, 0.99, 1.01, 3.0]), st.booleans())
def test_a_wrong_price_is_never_proven(seed: int, top: int, factor: float, of_pay: bool) -> None:
    events, _ = event(np.random.default_rng(seed), top)
    name = "pay" if of_pay else "critical_bid"
    price = getattr(events, name)
    wrong = replace(events, **{name: price * factor})
    if np.abs(price * (factor - 1)).max() > 1e-3:
        assert judge(wrong)[1 if of_pay else 2] != Verdict.PROVEN


@settings(max_examples=300, deadline=None)
@given(SEEDS, st.integers(1, 8))
def test_only_the_true_draw_is_ever_proven(seed: int, top: int) -> None:
    """The contract's draw by brute force over all logits, against the verdict from the record."""
    events, p = event(np.random.default_rng(seed), top)
    events = replace(events, sampled=np.array([True]))
    u_row, u_token = uniforms(events.draw)
    row = p[drawn_rows(events.weights, u_row)[0]]
    truth = int(np.argmax(row.cumsum() > u_token[0]))
    for token in {truth, *np.random.default_rng(seed).integers(0, len(row), 6).tolist()}:
        claim = replace(events, token=np.array([token]), p_token=p[None, :, token])
        verdict = judge(claim)[0]
        assert verdict != (Verdict.REFUTED if token == truth else Verdict.PROVEN)


@pytest.mark.parametrize("top", [4, 16])
def test_most_claims_are_decided(top: int) -> None:
    """The proof is worth something: nearly all true claims are proven, wrong ones refuted."""
    rng = np.random.default_rng(top)
    proven = refuted = 0
    for _ in range(200):
        events, p = event(rng, top)
        proven += judge(events) == (Verdict.PROVEN,) * 3
        worst = int((events.weights[0] @ p).argmin())
        wrong = replace(events, token=np.array([worst]), p_token=p[None, :, worst])
        refuted += judge(wrong)[0] == Verdict.REFUTED
    assert proven > (180 if top == 16 else 120) and refuted > 150
