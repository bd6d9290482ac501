# SPDX-License-Identifier: Apache-2.0
"""The auction in float64 numpy: the definition every kernel is checked against.

    N(x)  = w_ref P_ref(x) + sum_i w_i P_i(x),   P_k = softmax(logits_k / T)
    t     = argmax N, lowest id among blends equal within TIE_REL
    pay_i = max_x B_-i(x) - B_-i(t)                       (Clarke; B_-i = N without row i)
    c_i   = max(0, max over x with P_i(x) < P_i(t) of (B_-i(x) - B_-i(t)) / (P_i(t) - P_i(x)))

The seed's critical bid looks at the runner-up token only; the maximum runs over every token.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

TIE_REL = 2.0**-40
NEAR_TIE_REL = 2.0**-17
OK, NOT_FINITE, EMPTY, BAD_WEIGHT = range(4)


class OracleError(ValueError):
    """The reply cannot be auctioned: bad temperature, reference row or weights."""


@dataclass(frozen=True)
class Outcome:
    """One reply's outcome; arrays have one entry per row, row 0 the reference."""

    token: int
    ref_token: int
    margin: float
    near_tie: bool
    blend: Floats  # N(x), [vocab]
    p_token: Floats
    pay: Floats
    critical_bid: Floats
    w_minus: Floats
    row_status: NDArray[np.int32]


def from_bf16(bits: NDArray[np.uint16]) -> NDArray[np.float32]:
    """bfloat16 bit patterns as float32."""
    return (bits.astype(np.uint32) << 16).view(np.float32)


def softmax(logits: Floats, temperature: float) -> Floats:
    """Probabilities along the last axis; the maximum is always subtracted."""
    p: Floats = np.exp((logits - logits.max(axis=-1, keepdims=True)) / temperature)
    p /= p.sum(axis=-1, keepdims=True)
    return p


def row_status(logits: Floats, weight: float) -> int:
    """Why a row takes no part, or OK. A logit of -inf is legal: an impossible token."""
    if not (np.isfinite(weight) and weight >= 0):
        return BAD_WEIGHT
    if np.isnan(logits).any() or np.isposinf(logits).any():
        return NOT_FINITE
    return EMPTY if np.isneginf(logits).all() else OK


def lowest_winner(blend: Floats) -> int:
    """Lowest token id whose blend equals the largest within TIE_REL."""
    return int(np.argmax(blend >= blend.max() * (1 - TIE_REL)))


def clarke(blend_without: Floats, token: int, ceiling: float) -> float:
    """What the others lose to row i's presence, within [0, w_i P_i(token)]."""
    pay = blend_without.max() - blend_without[token]
    return min(pay, ceiling) if pay > TIE_REL * blend_without.max() else 0.0


def critical_bid(blend_without: Floats, p_row: Floats, token: int) -> float:
    """Smallest weight at which `token` still wins, over all rival tokens."""
    spread = p_row[token] - p_row
    rivals = spread > 0
    if not rivals.any():
        return 0.0
    lead = blend_without[rivals] - blend_without[token]
    return max(0.0, float((lead / spread[rivals]).max()))


def brute_force_bid(blend_without: Floats, p_row: Floats, token: int, high: float) -> float:
    """The same threshold by bisection on the weight: no formula, only who wins."""
    low = 0.0
    for _ in range(60):
        middle = (low + high) / 2
        blend = blend_without + middle * p_row
        low, high = (low, middle) if blend[token] >= blend.max() else (middle, high)
    return high


def auction(logits: NDArray[Any], weights: NDArray[Any], temperature: float) -> Outcome:
    """Run one reply: logits [rows, vocab] (any float type), weights [rows]."""
    z = np.asarray(logits).astype(np.float64)
    w = np.asarray(weights, dtype=np.float64).copy()
    if not (np.isfinite(temperature) and temperature > 0):
        raise OracleError("temperature must be finite and above 0")
    status = np.array(
        [row_status(row, weight) for row, weight in zip(z, w, strict=True)], dtype=np.int32
    )
    if status[0] != OK:
        raise OracleError("the reference row is unusable")
    w[status != OK] = 0.0
    if w.sum() == 0:
        raise OracleError("the valid weights sum to 0")
    p = np.zeros_like(z)
    p[status == OK] = softmax(z[status == OK], temperature)
    return _clear(z, w, p, status)


def _clear(z: Floats, w: Floats, p: Floats, status: NDArray[np.int32]) -> Outcome:
    shares = w[:, None] * p
    blend = shares.sum(axis=0)
    token = lowest_winner(blend)
    second = np.delete(blend, token).max(initial=0.0)
    margin = max(0.0, float(blend[token] - second))
    pay, bids = np.zeros(len(w)), np.zeros(len(w))
    for i in range(1, len(w)):
        without = np.delete(shares, i, axis=0).sum(axis=0)
        pay[i] = clarke(without, token, shares[i, token])
        if pay[i] > 0:
            bids[i] = min(critical_bid(without, p[i], token), w[i])
    ads = np.r_[0.0, w[1:]]
    return Outcome(
        token=token,
        ref_token=int(z[0].argmax()),
        margin=margin,
        near_tie=margin <= NEAR_TIE_REL * blend[token],
        blend=blend,
        p_token=p[:, token],
        pay=pay,
        critical_bid=bids,
        w_minus=np.array([np.delete(ads, i).sum() for i in range(len(w))]),
        row_status=status,
    )
