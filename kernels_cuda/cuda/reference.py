# SPDX-License-Identifier: Apache-2.0
"""What a device must answer, in float64 numpy, and how far an answer is from it.

Argmax mode is oracle.py's; sampling mode and the audit outputs are written from the contract.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels_cuda import oracle
from kernels_cuda.cuda.device import TOP, Outcome, Reply

Floats = NDArray[np.float64]

SAMPLE = 1
# Charges and critical bids under this share of the largest weight are compared to it.
FLOOR = 1e-6
_MASK = 2**32 - 1


@dataclass(frozen=True)
class Expected:
    """One reply's outcome; arrays have one entry per row, row 0 the reference."""

    token: int
    ref_token: int
    drawn_row: int
    margin: float
    near_tie: bool
    p_token: Floats
    pay: Floats
    critical_bid: Floats
    log_z: Floats
    w_minus: Floats
    row_status: NDArray[np.int32]


def philox(draw: tuple[int, int, int]) -> tuple[float, float]:
    """u_row and u_token of a draw (seed, conv, index)."""
    seed, conv, index = draw
    key = [seed & _MASK, seed >> 32]
    x = [conv & _MASK, conv >> 32, index & _MASK, index >> 32]
    for _ in range(10):
        even, odd = x[0] * 0xD2511F53, x[2] * 0xCD9E8D57
        x = [(odd >> 32) ^ x[1] ^ key[0], odd & _MASK, (even >> 32) ^ x[3] ^ key[1], even & _MASK]
        key = [(key[0] + 0x9E3779B9) & _MASK, (key[1] + 0xBB67AE85) & _MASK]
    return tuple(((x[i] | x[i + 1] << 32) >> 11) * 2.0**-53 for i in (0, 2))  # type: ignore[return-value]


def draw_row(weights: Floats, u: float) -> int:
    """First row with weight whose running sum exceeds u times the total."""
    rows = np.flatnonzero(weights > 0)
    above = np.flatnonzero(np.cumsum(weights[rows]) > u * weights.sum())
    return int(rows[above[0] if len(above) else -1])


def draw_token(p: Floats, u: float) -> int:
    """Lowest token whose running sum of p exceeds u."""
    above = np.flatnonzero(np.cumsum(p) > u * p.sum())
    return int(above[0] if len(above) else np.flatnonzero(p)[-1])


def stable_payment(b: Any, s: Any, p: Any, without: Any) -> float:
    """arXiv 2310.10826 for a linear blend: b = w_i, s the other weights, without = B_-i(t)."""
    if b == 0 or s == 0:
        return 0.0
    q, q_without = (without + b * p) / (s + b), without / s
    k = s * np.log1p(b / s) - s * b / (s + b)
    return float(max(0.0, 1 - q_without / q) * k * (s + b) / b)


def widened(logits: NDArray[Any]) -> Floats:
    """Logits of any accepted type in float64; uint16 is bfloat16."""
    wide: NDArray[Any] = oracle.from_bf16(logits) if logits.dtype == np.uint16 else logits
    return wide.astype(np.float64)


def expect(reply: Reply) -> Expected:
    """The definition's answer; oracle.OracleError where the reply must be refused."""
    assert not isinstance(reply.logits, int)
    z, w = widened(reply.logits), np.asarray(reply.weights, np.float64).copy()
    best = oracle.auction(z, reply.weights, reply.temperature)
    ok = best.row_status == oracle.OK
    w[~ok] = 0.0
    p, log_z = np.zeros_like(z), np.zeros(len(w))
    p[ok] = oracle.softmax(z[ok], reply.temperature)
    top = z[ok].max(axis=1)
    log_z[ok] = top / reply.temperature + np.log(
        np.exp((z[ok] - top[:, None]) / reply.temperature).sum(axis=1)
    )
    if reply.mode != SAMPLE:
        return Expected(
            best.token,
            best.ref_token,
            -1,
            best.margin,
            best.near_tie,
            best.p_token,
            best.pay,
            best.critical_bid,
            log_z,
            best.w_minus,
            best.row_status,
        )
    u_row, u_token = philox(reply.draw)
    row = draw_row(w, u_row)
    token = draw_token(p[row], u_token)
    blend = w @ p
    others = [np.delete(w, i) for i in range(len(w))]
    pay = [
        stable_payment(w[i], others[i].sum(), p[i, token], others[i] @ np.delete(p[:, token], i))
        for i in range(1, len(w))
    ]
    return Expected(
        token,
        draw_token(p[0], u_token),
        row,
        float(blend[token] - np.delete(blend, token).max(initial=0.0)),
        False,
        p[:, token],
        np.array([0.0, *pay]),
        np.zeros(len(w)),
        log_z,
        best.w_minus,
        best.row_status,
    )


def expect_top(reply: Reply, row_status: NDArray[np.int32]) -> tuple[NDArray[Any], NDArray[Any]]:
    """TopResult's ids and logits."""
    assert not isinstance(reply.logits, int)
    z = widened(reply.logits)
    ids = np.full((len(z), TOP), -1, np.int32)
    for k in np.flatnonzero(row_status == oracle.OK):
        order = np.lexsort((np.arange(z.shape[1]), -z[k]))[:TOP]
        order = order[np.isfinite(z[k, order])]
        ids[k, : len(order)] = order
    flat = ids.ravel()
    logits = np.where(flat >= 0, z[:, np.maximum(flat, 0)], -np.inf)
    logits[row_status != oracle.OK] = -np.inf
    return ids, logits.astype(np.float32)


def relative(got: NDArray[Any], want: NDArray[Any], floor: float) -> float:
    """Largest relative difference; values under `floor` count as if they were `floor`."""
    return float((np.abs(got - want) / np.maximum(np.abs(want), floor)).max(initial=0.0))


def differences(got: Outcome, want: Expected, weights: NDArray[Any]) -> dict[str, float]:
    """Relative differences by field; inf where something that must be equal is not."""
    exact = (
        (got.token, got.ref_token, got.drawn_row, got.near_tie)
        == (want.token, want.ref_token, want.drawn_row, want.near_tie)
    ) and bool((got.row_status == want.row_status).all())
    floor = FLOOR * float(np.nanmax(np.where(np.isfinite(weights), weights, 0.0)))
    blend = max(got.blend_token, abs(want.margin), 1e-300)
    return {
        "exact": 0.0 if exact else float("inf"),
        "margin": abs(got.margin - want.margin) / blend,
        "p_token": relative(got.p_token, want.p_token, 1e-12),
        "pay": relative(got.pay, want.pay, floor),
        "critical_bid": relative(got.critical_bid, want.critical_bid, floor),
        "log_z": float(np.abs(got.log_z - want.log_z).max()),
        "w_minus": relative(got.w_minus, want.w_minus, 1e-30),
    }


LIMITS = {
    "exact": 0.0,
    "margin": 1e-7,
    "p_token": 1e-7,
    "pay": 1e-6,
    "critical_bid": 1e-6,
    "log_z": 1e-6,
    "w_minus": 1e-6,
}


def faults(got: Outcome, want: Expected, weights: NDArray[Any]) -> list[str]:
    """Which fields are further off than LIMITS allow."""
    return [
        f"{name} {value:.3g}"
        for name, value in differences(got, want, weights).items()
        if not value <= LIMITS[name]
    ]
