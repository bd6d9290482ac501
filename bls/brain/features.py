# SPDX-License-Identifier: Apache-2.0
"""The 150 features of a bid prediction, the same in training and in the server.

    [0:128]    ctx_vec, the axis vector of the conversation (unit norm)
    [128:143]  log W_-i of the last 15 tokens, oldest first
    [143:146]  their mean, standard deviation and slope per token (least squares)
    [146:150]  sin, cos of token_idx / 1000 and of token_idx / 10

W_-i is the sum of the other advertisers' weights, at least `W_FLOOR`. A window that is not full yet
is padded at its old end with the oldest value it has; before the first token that value is the
opening one: log W_-i of the bids the advertisers came with. Source: competitor_bid 2.2.1.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bls.contracts import CTX, FEATURES, WINDOW

F32 = NDArray[np.float32]

W_FLOOR = 0.01
"""Smallest W_-i whose logarithm is taken: a lone advertiser faces this."""

PAST = slice(CTX, CTX + WINDOW)
STATS = slice(CTX + WINDOW, CTX + WINDOW + 3)
MEAN = CTX + WINDOW
POSITION = slice(CTX + WINDOW + 3, FEATURES)

_AGE = np.arange(WINDOW) - (WINDOW - 1) / 2
_MOMENTS = np.stack([np.full(WINDOW, 1 / WINDOW), _AGE / np.sum(_AGE**2)], axis=1)
_FREQUENCIES = np.array([1 / 1000, 1 / 1000, 1 / 10, 1 / 10])
_PHASES = np.array([0, np.pi / 2, 0, np.pi / 2])  # cos x is sin(x + pi / 2)


def log_weight(w_minus: NDArray[Any] | float) -> NDArray[np.float64]:
    """log W_-i with the floor; any shape."""
    floored: NDArray[np.float64] = np.maximum(np.asarray(w_minus, np.float64), W_FLOOR)
    return np.log(floored)


def pad(window: Sequence[float]) -> NDArray[np.float64]:
    """The last 15 of a window, oldest first, padded with its oldest. Raises on an empty one."""
    if not window:
        raise ValueError("a window holds at least its opening value")
    last = list(window)[-WINDOW:]
    return np.array([last[0]] * (WINDOW - len(last)) + last, np.float64)


def build(ctx_vec: NDArray[Any], past: NDArray[Any], token_idx: NDArray[Any]) -> F32:
    """Features f32 [n, 150] of n predictions.

    Args:
        ctx_vec: [n, 128], or [128] for all.
        past: [n, 15] padded windows of log W_-i.
        token_idx: [n] the token to be predicted, 0 the first.
    """
    past = np.asarray(past, np.float64)
    count = len(past)
    if past.shape != (count, WINDOW) or np.shape(ctx_vec)[-1] != CTX:
        raise ValueError(f"expected [n, {WINDOW}] and [n, {CTX}], got {past.shape}")
    out = np.empty((count, FEATURES), np.float32)
    out[:, :CTX] = ctx_vec
    out[:, PAST] = past
    moments = past @ _MOMENTS
    away = past - moments[:, :1]
    out[:, MEAN], out[:, MEAN + 2] = moments.T
    out[:, MEAN + 1] = np.sqrt(np.einsum("ij,ij->i", away, away) / WINDOW)
    angle = np.multiply.outer(np.asarray(token_idx), _FREQUENCIES)
    out[:, POSITION] = np.sin(angle + _PHASES)
    return out
