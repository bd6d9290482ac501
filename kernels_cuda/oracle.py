# SPDX-License-Identifier: Apache-2.0
"""The auction in float64 numpy: the definition every kernel is checked against.

    N(x)  = w_ref P_ref(x) + sum_i w_i P_i(x),   P_k = softmax(logits_k / T)
    t     = argmax N, lowest id among blends equal within TIE_REL
    pay_i = max_x B_-i(x) - B_-i(t)                       (Clarke; B_-i = N without row i)
    c_i   = max(0, max over x with P_i(x) < P_i(t) of (B_-i(x) - B_-i(t)) / (P_i(t) - P_i(x)))

The seed's critical bid looks at the runner-up token only; the maximum runs over every token.

In sampling mode t is drawn from N / W, a row first and then a token of it, and pay_i is the
stable-sampling payment of arXiv 2310.10826. include/auction_contract.h spells both out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels_cuda.contract import TOP, Draw

Floats = NDArray[np.float64]
Words = NDArray[np.uint64]

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
    log_z: Floats
    w_minus: Floats
    row_status: NDArray[np.int32]
    drawn_row: int


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


def philox(counter: Words, key: Words) -> Words:
    """Philox4x32-10 (Salmon et al., SC 2011): counter [4, ...], key [2, ...], 32 bits a word."""
    low, shift = np.uint64(0xFFFFFFFF), np.uint64(32)
    x0, x1, x2, x3 = counter
    k0, k1 = key
    for _ in range(10):
        even, odd = x0 * np.uint64(0xD2511F53), x2 * np.uint64(0xCD9E8D57)
        x0, x1, x2, x3 = (odd >> shift) ^ x1 ^ k0, odd & low, (even >> shift) ^ x3 ^ k1, even & low
        k0, k1 = (k0 + np.uint64(0x9E3779B9)) & low, (k1 + np.uint64(0xBB67AE85)) & low
    return np.stack([x0, x1, x2, x3])


def uniforms(seed: Words, conv: Words, index: Words) -> tuple[Floats, Floats]:
    """u_row and u_token of each draw, in [0, 1) with 53 bits."""
    seed, conv, index = np.broadcast_arrays(seed, conv, index)
    low, shift = np.uint64(0xFFFFFFFF), np.uint64(32)
    halves = [half for word in (conv, index) for half in (word & low, word >> shift)]
    x = philox(np.stack(halves), np.stack([seed & low, seed >> shift]))
    u_row, u_token = ((x[i] | x[i + 1] << shift) >> np.uint64(11) for i in (0, 2))
    return u_row * 2.0**-53, u_token * 2.0**-53


def draw_from(masses: Floats, u: float) -> int:
    """Lowest index whose running sum exceeds u times the whole; the last possible if none does."""
    running = np.cumsum(masses)
    found = int(np.searchsorted(running, u * running[-1], side="right"))
    return found if found < len(masses) else int(np.flatnonzero(masses)[-1])


def draw_token(z: Floats, temperature: float, u: float) -> int:
    """A token of one row."""
    return draw_from(np.exp((z - z.max()) / temperature), u)


def stable_charge(b: float, s: float) -> float:
    """K = s ln(1 + b/s) - s b/(s + b) = s (v^2/2 + v^3/3 + ...) with v = b/(s + b)."""
    v = b / (s + b)
    if v > 0.1:
        return float(s * (np.log1p(b / s) - v))
    return float(s * sum(v**n / n for n in range(20, 1, -1)))


def stable_payment(b: float, s: float, p: float, without: float) -> float:
    """What row i pays for a drawn t: weight b, others' weight s, P_i(t) and B_-i(t).

    1 - q_-i/q is written b (P_i - q_-i) / N, which keeps its digits when b is small.
    """
    if b == 0 or s == 0 or p - without / s <= TIE_REL * p:
        return 0.0
    return (p - without / s) / (without + b * p) * (s + b) * stable_charge(b, s)


def top_tokens(
    logits: NDArray[Any], status: NDArray[np.int32]
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """The audit outputs: ids [rows, TOP] and every row's logits at all of them."""
    z = np.asarray(logits).astype(np.float32)
    ids = np.full((len(z), TOP), -1, np.int32)
    for k in np.flatnonzero(status == OK):
        best = np.argsort(-z[k], kind="stable")[:TOP]
        ids[k, : len(best)] = np.where(np.isneginf(z[k, best]), -1, best)
    known = (ids.ravel() >= 0) & (status == OK)[:, None]
    return ids, np.where(known, z[:, ids.ravel()], np.float32(-np.inf))


def auction(
    logits: NDArray[Any], weights: NDArray[Any], temperature: float, draw: Draw | None = None
) -> Outcome:
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
    p, log_z = np.zeros_like(z), np.zeros(len(w))
    good = z[status == OK]
    p[status == OK] = softmax(good, temperature)
    top = good.max(axis=1)
    log_z[status == OK] = top / temperature + np.log(
        np.exp((good - top[:, None]) / temperature).sum(axis=1)
    )
    chosen = _argmax(z, w, p) if draw is None else _sample(z, w, p, temperature, draw)
    ads = np.r_[0.0, w[1:]]
    return Outcome(
        **chosen,
        blend=(w[:, None] * p).sum(axis=0),
        p_token=p[:, chosen["token"]],
        log_z=log_z,
        w_minus=np.array([np.delete(ads, i).sum() for i in range(len(w))]),
        row_status=status,
    )


def _argmax(z: Floats, w: Floats, p: Floats) -> dict[str, Any]:
    shares = w[:, None] * p
    blend = shares.sum(axis=0)
    token = lowest_winner(blend)
    margin = max(0.0, _margin(blend, token))
    pay, bids = np.zeros(len(w)), np.zeros(len(w))
    for i in range(1, len(w)):
        without = np.delete(shares, i, axis=0).sum(axis=0)
        pay[i] = clarke(without, token, shares[i, token])
        if pay[i] > 0:
            bids[i] = min(critical_bid(without, p[i], token), w[i])
    return {
        "token": token,
        "ref_token": int(z[0].argmax()),
        "margin": margin,
        "near_tie": margin <= NEAR_TIE_REL * blend[token],
        "pay": pay,
        "critical_bid": bids,
        "drawn_row": -1,
    }


def _sample(z: Floats, w: Floats, p: Floats, temperature: float, draw: Draw) -> dict[str, Any]:
    words = (np.array(word, np.uint64) for word in (draw.seed, draw.conv, draw.index))
    u_row, u_token = (float(u) for u in uniforms(*words))
    row = draw_from(w, u_row)
    token = draw_token(z[row], temperature, u_token)
    at_token = w * p[:, token]
    pay = np.zeros(len(w))
    for i in range(1, len(w)):
        others, without = np.delete(w, i).sum(), np.delete(at_token, i).sum()
        pay[i] = stable_payment(float(w[i]), float(others), float(p[i, token]), float(without))
    return {
        "token": token,
        "ref_token": draw_token(z[0], temperature, u_token),
        "margin": _margin((w[:, None] * p).sum(axis=0), token),
        "near_tie": False,
        "pay": pay,
        "critical_bid": np.zeros(len(w)),
        "drawn_row": row,
    }


def _margin(blend: Floats, token: int) -> float:
    return float(blend[token] - np.delete(blend, token).max(initial=0.0))
