# SPDX-License-Identifier: Apache-2.0
"""The window of one conversation: its context, its next token, 15 values per advertiser.

A new row is full from the start: 15 times its opening value. Pushing then is one shift, and the row
always equals `features.pad` of the opening value and everything pushed since.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bls.brain.features import F32, build, log_weight
from bls.contracts import CTX, WINDOW

F64 = NDArray[np.float64]


class Window:
    """Not thread-safe: its hub's lock guards it.

    Attributes:
        ctx_vec: f32 [128].
        next_token: index of the token that is predicted next.
        past: f64 [n, 15] of log W_-i, oldest first, a row per advertiser of `rows`.
        rows: advertiser -> row.
    """

    def __init__(self, ctx_vec: NDArray[Any], rows: Sequence[str], past: F64, next_token: int):
        """Raises `ValueError` on a wrong shape or a value that is not finite."""
        self.ctx_vec: F32 = np.asarray(ctx_vec, np.float32)
        if self.ctx_vec.shape != (CTX,) or past.shape != (len(rows), WINDOW):
            raise ValueError(f"expected [{CTX}] and [{len(rows)}, {WINDOW}]")
        if not (np.isfinite(self.ctx_vec).all() and np.isfinite(past).all()):
            raise ValueError("a window holds finite values")
        self.rows = {name: row for row, name in enumerate(rows)}
        self.past = past
        self.next_token = next_token

    @classmethod
    def opened(cls, ctx_vec: NDArray[Any], openings: Mapping[str, float]) -> Window:
        """Before the first token; `openings` are W_-i of the bids the advertisers came with."""
        return cls(ctx_vec, list(openings), _full(openings), 0)

    def push(self, token_idx: int, w_minus: Mapping[str, float]) -> dict[str, float]:
        """Take W_-i of a token; advertiser -> the value that fell out.

        A token that is in already (a replay) changes nothing. An advertiser without a finite value
        keeps its row as it is; one that is new gets a row full of its first value.
        """
        if token_idx < self.next_token:
            return {}
        self.next_token = token_idx + 1
        known = {n: w for n, w in w_minus.items() if math.isfinite(w)}
        fresh = {n: w for n, w in known.items() if n not in self.rows}
        names = [name for name in known if name not in fresh]
        index = [self.rows[name] for name in names]
        moved = self.past[index]
        self.past[index, :-1] = moved[:, 1:]
        self.past[index, -1] = log_weight(np.array([known[name] for name in names]))
        self._join(fresh)
        return dict(zip(names, moved[:, 0].tolist(), strict=True))

    def features(self, advertisers: Sequence[str]) -> F32:
        """Features f32 [n, 150] of the next token. Raises `KeyError` of an unknown advertiser."""
        index = [self.rows[name] for name in advertisers]
        return build(self.ctx_vec, self.past[index], np.full(len(index), self.next_token))

    def copy(self) -> Window:
        """The same now, unmoved by later tokens."""
        return Window(self.ctx_vec, list(self.rows), self.past.copy(), self.next_token)

    def _join(self, fresh: Mapping[str, float]) -> None:
        if fresh:
            self.rows |= {name: len(self.past) + i for i, name in enumerate(fresh)}
            self.past = np.concatenate([self.past, _full(fresh)])


def _full(values: Mapping[str, float]) -> F64:
    opening = log_weight(np.array(list(values.values()), np.float64))
    return np.repeat(opening[:, None], WINDOW, axis=1)
