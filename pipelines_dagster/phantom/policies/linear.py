# SPDX-License-Identifier: Apache-2.0
"""The linear tier: an elasticity regression, then the best level.

The market's reward is regressed on the sum over its items of `[1, m, m^2] x [1, scaled state]`, m
the multiplier less 1, from steps whose levels were drawn at random: the coefficients of m are an
item's elasticity where it is now. The score of a level is then linear in the state: a network
without a hidden layer.
"""

from __future__ import annotations

import numpy as np

from bls.errors import SkynetError
from pipelines_dagster.phantom.policies.network import Layer, NetworkPolicy
from pipelines_dagster.phantom.policies.policy import F32, F64, I64, LEVELS, STATE
from pipelines_dagster.phantom.policies.scaling import scaled

RIDGE = 1e-3
"""Keeps constant features from making the regression singular."""
_SHAPE = np.stack([LEVELS**0, LEVELS - 1, (LEVELS - 1) ** 2])  # [3, levels]
_WIDTH = 3 * (STATE + 1)


class Elasticity:
    """Collects steps, then solves; memory does not grow with their number.

    Args:
        mask: `scaling.seen`.
    """

    def __init__(self, mask: F32) -> None:
        self._mask = mask
        self._inner: F64 = np.zeros((_WIDTH, _WIDTH))
        self._outer: F64 = np.zeros(_WIDTH)
        self._count = 0

    def add(self, state: F32, levels: I64, gained: F64) -> None:
        """Rows f32[markets * products, STATE], the levels int64[rows] taken there, and what each
        market gained f64[markets]."""
        x = np.hstack([np.ones((len(state), 1)), scaled(state, self._mask)])
        items = _SHAPE[:, levels].T[:, :, None] * x[:, None, :]
        design = items.reshape(len(gained), -1, _WIDTH).sum(axis=1)
        self._inner += design.T @ design
        self._outer += design.T @ gained
        self._count += len(gained)

    def fitted(self) -> NetworkPolicy:
        """Raises `no_data` before the first step."""
        if not self._count:
            raise SkynetError("no_data", "The regression has seen no step.", 409)
        ridge = RIDGE * self._count * np.eye(_WIDTH)
        found = np.linalg.solve(self._inner + ridge, self._outer).reshape(3, STATE + 1)
        scores = (_SHAPE.T @ found).astype(np.float32)  # [levels, 1 + STATE]
        return NetworkPolicy((Layer(scores[:, 1:].T.copy(), scores[:, 0].copy()),), self._mask)
