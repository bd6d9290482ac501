# SPDX-License-Identifier: Apache-2.0
"""The shared network of an item: scaled `PriceState` in, 9 scores out, the best is taken.

Two hidden layers of tanh, run by numpy: acting needs no torch, and gives the same levels wherever
it runs. The same weights become the ONNX graph (`export/session_price`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from bls.contracts import MULTIPLIERS
from bls.errors import invalid
from pipelines_dagster.phantom.policies.policy import F32, I64, STATE, rows, together
from pipelines_dagster.phantom.policies.scaling import scaled


@dataclass(frozen=True)
class Layer:
    """`x @ weight + bias`: weight f32[in, out], bias f32[out]."""

    weight: F32
    bias: F32


@dataclass(frozen=True, eq=False)
class NetworkPolicy:
    """A trained one.

    Args:
        layers: first to last; tanh between them.
        mask: `scaling.seen`.

    Raises:
        SkynetError: `bad_policy` when the sizes do not fit or a number is not finite.
    """

    layers: Sequence[Layer]
    mask: F32

    def __post_init__(self) -> None:
        sizes = [STATE, *(len(layer.bias) for layer in self.layers)]
        fits = [
            layer.weight.shape == pair and np.isfinite(layer.weight).all()
            for layer, pair in zip(self.layers, pairwise(sizes), strict=True)
        ]
        if not all(fits) or sizes[-1] != len(MULTIPLIERS) or self.mask.shape != (STATE,):
            raise invalid("bad_policy", "The network's layers do not fit.")

    def scores(self, state: F32) -> F32:
        """f32[n, 9] of rows f32[n, STATE]."""
        x = scaled(state, self.mask)
        for layer in self.layers[:-1]:
            x = np.tanh(x @ layer.weight + layer.bias)
        out: F32 = x @ self.layers[-1].weight + self.layers[-1].bias
        return out

    def act(self, observation: F32) -> I64:
        return together(self.scores(rows(observation)).argmax(axis=1), observation)
