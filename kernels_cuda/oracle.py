# SPDX-License-Identifier: Apache-2.0
"""The auction in float64 numpy: the definition every kernel is checked against.

    N(x)  = w_ref P_ref(x) + sum_i w_i P_i(x),   P_k = softmax(logits_k / T)
    t     = argmax N, lowest id among blends equal within TIE_REL
    pay_i = max_x B_-i(x) - B_-i(t)                       (Clarke; B_-i = N without row i)
    c_i   = max(0, max over x with P_i(x) < P_i(t) of (B_-i(x) - B_-i(t)) / (P_i(t) - P_i(x)))

The seed's critical bid looks at the runner-up token only; the maximum runs over every token.
In sampling mode t is drawn (a row by weight, then a token of that row) and `stable_payment` is the
charge; random numbers, draw and sums are those of include/auction_contract.h.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

TIE_REL = 2.0**-40
NEAR_TIE_REL = 2.0**-17
TOP = 16
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
    log_z: Floats
    drawn_row: int = -1


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


def philox(counter: tuple[int, int, int, int], key: tuple[int, int]) -> tuple[int, int, int, int]:
    """Philox4x32-10 (Salmon et al. 2011): four 32-bit words of a counter and a key."""
    mask = 2**32 - 1
    (a, b, c, d), (low, high) = counter, key
    for _ in range(10):
        even, odd = a * 0xD2511F53, c * 0xCD9E8D57
        a, b, c, d = (odd >> 32) ^ b ^ low, odd & mask, (even >> 32) ^ d ^ high, even & mask
        low, high = (low + 0x9E3779B9) & mask, (high + 0xBB67AE85) & mask
    return a, b, c, d


def uniforms(draw: tuple[int, int, int]) -> tuple[float, float]:
    """u_row and u_token in [0, 1) of a draw's seed, conv and index."""
    seed, conv, index = (divmod(part, 2**32) for part in draw)
    words = philox((conv[1], conv[0], index[1], index[0]), (seed[1], seed[0]))
    return tuple(((words[i] | words[i + 1] << 32) >> 11) * 2.0**-53 for i in (0, 2))  # type: ignore[return-value]


def first_above(mass: Floats, u: float) -> int:
    """Lowest index whose running sum of `mass` exceeds u times the total; zeros are never it."""
    above = np.flatnonzero(mass.cumsum() > u * mass.sum())
    return int(above[0] if above.size else np.flatnonzero(mass)[-1])


def stable_payment(b: float, s: float, p: float, without: float) -> float:
    """Payment of the stable sampling of arXiv 2310.10826, for the linear blend.

    Args:
        b: the advertiser's weight.
        s: the weights of all others, the reference included.
        p: P_i(t).
        without: B_-i(t).
    """
    if b == 0 or s == 0:
        return 0.0
    q, q_without = (without + b * p) / (s + b), without / s
    k = s * np.log1p(b / s) - s * b / (s + b)
    return float(max(0.0, 1 - q_without / q) * k * (s + b) / b)


def top_ids(logits: NDArray[Any], status: NDArray[np.int32]) -> NDArray[np.int32]:
    """[rows, TOP] best tokens: falling logits, lowest id first among equals, -1 where none."""
    ids = np.full((len(logits), TOP), -1, np.int32)
    for row in np.flatnonzero(status == OK):
        best = np.argsort(-logits[row], kind="stable")[:TOP]
        best = best[~np.isneginf(logits[row, best])]
        ids[row, : len(best)] = best
    return ids


def top_logits(
    logits: NDArray[Any], ids: NDArray[np.int32], status: NDArray[np.int32]
) -> NDArray[np.float32]:
    """[rows, rows * TOP] each row's logit at every id; -inf where there is none."""
    flat = ids.ravel()
    found = np.where(flat >= 0, logits[:, flat], -np.inf).astype(np.float32)
    found[status != OK] = -np.inf
    return found


def auction(
    logits: NDArray[Any],
    weights: NDArray[Any],
    temperature: float,
    draw: tuple[int, int, int] | None = None,
) -> Outcome:
    """Run one reply: logits [rows, vocab] (any float type), weights [rows].

    With `draw` (seed, conv, index) the token is drawn, otherwise it is the blend's argmax.
    """
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
    log_z = np.array(
        [_log_z(row, temperature) if ok else 0.0 for row, ok in zip(z, status == OK, strict=True)]
    )
    reply = _Reply(w, p, int(z[0].argmax()), status, log_z)
    return reply.clear() if draw is None else reply.sample(draw)


def _log_z(row: Floats, temperature: float) -> float:
    top = row.max()
    return float(top / temperature + np.log(np.exp((row - top) / temperature).sum()))


@dataclass(frozen=True)
class _Reply:
    """Weights [rows] and probabilities [rows, vocab] of the valid rows; zeros for the others."""

    w: Floats
    p: Floats
    ref_argmax: int
    status: NDArray[np.int32]
    log_z: Floats

    def clear(self) -> Outcome:
        """Argmax mode."""
        shares = self.w[:, None] * self.p
        blend = shares.sum(axis=0)
        token = lowest_winner(blend)
        pay, bids = np.zeros(len(self.w)), np.zeros(len(self.w))
        for i in range(1, len(self.w)):
            without = np.delete(shares, i, axis=0).sum(axis=0)
            pay[i] = clarke(without, token, shares[i, token])
            if pay[i] > 0:
                bids[i] = min(critical_bid(without, self.p[i], token), self.w[i])
        margin = max(0.0, self._margin(blend, token))
        return self._outcome(
            blend,
            token,
            self.ref_argmax,
            margin=margin,
            near_tie=bool(margin <= NEAR_TIE_REL * blend[token]),
            pay=pay,
            critical_bid=bids,
        )

    def sample(self, draw: tuple[int, int, int]) -> Outcome:
        """Sampling mode."""
        u_row, u_token = uniforms(draw)
        row = first_above(self.w, u_row)
        token = first_above(self.p[row], u_token)
        pay = np.zeros(len(self.w))
        for i in range(1, len(self.w)):
            others = np.delete(self.w, i)
            without = float(others @ np.delete(self.p[:, token], i))
            pay[i] = stable_payment(self.w[i], others.sum(), self.p[i, token], without)
        blend = self.w @ self.p
        drawn = self._outcome(
            blend,
            token,
            first_above(self.p[0], u_token),
            margin=self._margin(blend, token),
            near_tie=False,
            pay=pay,
            critical_bid=np.zeros(len(pay)),
        )
        return replace(drawn, drawn_row=row)

    @staticmethod
    def _margin(blend: Floats, token: int) -> float:
        return float(blend[token] - np.delete(blend, token).max(initial=0.0))

    def _outcome(self, blend: Floats, token: int, ref_token: int, **priced: Any) -> Outcome:
        """`priced`: margin, near_tie, pay, critical_bid."""
        ads = np.r_[0.0, self.w[1:]]
        return Outcome(
            token=token,
            ref_token=ref_token,
            blend=blend,
            p_token=self.p[:, token],
            **priced,
            w_minus=np.array([np.delete(ads, i).sum() for i in range(len(ads))]),
            row_status=self.status,
            log_z=self.log_z,
        )
