# SPDX-License-Identifier: Apache-2.0
"""What a record says of every P_k(x): exact on the union of best tokens, bounded elsewhere.

With log Z_k and the logits z_k at the union U of all rows' m best tokens,

    P_k(x)  = exp(z_k(x) / T - log Z_k)                            x in U: exact
    P_k(x) <= tail_k = min(row k's m-th best P, 1 - sum_U P_k)     x not in U

because U holds row k's m best, so no other token beats the m-th, nor has more than is left. Hence
`N(x) <= sum_k w_k tail_k` and `B_-i(x) <= sum_{k != i} w_k tail_k` outside U: what wins or sets a
price inside U by more than that does so in the whole vocabulary.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from bls.settlement.events import F64, Bool, Events

TIE_REL = 2.0**-40
"""Blends closer than this are equal; the lowest id wins (auction contract)."""
NORMALISER_REL = 2.0**-17
"""Most that P may be off, relative, where the kernel summed its normaliser in float32."""
PRECISE_REL = 2.0**-39
"""The same where it summed in float64, as it does for every near tie; above TIE_REL."""


class Verdict(IntEnum):
    """What a record proves of its own claim."""

    REFUTED = 0
    UNDECIDED = 1
    PROVEN = 2


@dataclass(frozen=True)
class Bounds:
    """Probabilities of n tokens on their unions.

    Attributes:
        p: [n, C, R] P_k(x), 0 for rows that took no part and for padding.
        blend: [n, C] N(x).
        without: [n, C, R] B_-k(x).
        tail: [n, R] bound on P_k(x) outside the union.
        column: [n] where the token is in the union; 0 if it is not there.
        inside: [n] whether it is.
        sound: [n] the evidence is of a distribution: finite, with sums of at most 1.
    """

    p: F64
    blend: F64
    without: F64
    tail: F64
    column: NDArray[np.int64]
    inside: Bool
    sound: Bool

    @classmethod
    def of(cls, events: Events) -> Bounds:
        scale = events.temperature[:, None, None]
        with np.errstate(over="ignore", invalid="ignore"):
            p = np.exp(events.logits / scale - events.log_z[:, None, :])
        p = np.where(events.live[:, None, :], p, 0.0)
        mass = p.sum(axis=1)
        sound = (mass <= 1 + NORMALISER_REL).all(axis=1)  # False for NaN
        p = np.nan_to_num(p, posinf=0.0)
        share = p * events.weights[:, None, :]
        blend = share.sum(axis=2)
        found = events.ids == events.token[:, None]
        return cls(
            p=p,
            blend=blend,
            without=blend[:, :, None] - share,
            tail=np.minimum(_mth_best(p, events.top), np.maximum(0, 1 - mass) + NORMALISER_REL),
            column=found.argmax(axis=1),
            inside=found.any(axis=1),
            sound=sound,
        )

    def at_token(self, values: F64) -> F64:
        """[n, C, ...] -> [n, ...] at the token's column."""
        return np.asarray(values[np.arange(len(values)), self.column])


def _mth_best(p: F64, m: int) -> F64:
    """[n, C, R] -> [n, R]: each row's m-th largest, 0 where it has fewer tokens."""
    union = p.shape[1]
    if union < m:
        return np.zeros((p.shape[0], p.shape[2]))
    return np.asarray(np.partition(p, union - m, axis=1)[:, union - m])
