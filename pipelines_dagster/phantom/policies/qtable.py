# SPDX-License-Identifier: Apache-2.0
"""The q-table: demand, last price and agent probability in bins, a row of 9 values each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bls.contracts import MULTIPLIERS, PriceState
from bls.errors import invalid
from pipelines_dagster.phantom.policies.policy import BASE, F32, F64, I64, rows, together

EDGES: dict[PriceState, tuple[float, ...]] = {
    PriceState.DEMAND: (0.03, 0.1, 0.2, 0.4, 0.7, 1.0, 1.5, 2.2, 3.2, 4.5, 6.0),
    PriceState.PRICE: (0.875, 0.975, 1.025, 1.125),
}
AGENT_EDGES = (0.2, 0.4, 0.6, 0.8)
_SHAPE = tuple(len(edges) + 1 for edges in EDGES.values())
CELLS = int(np.prod(_SHAPE)) * (len(AGENT_EDGES) + 1)
_FIRST = 1e-6
"""Value of the base price before anything is known: it wins ties."""
_LEAST_RATE = 0.002


def cells(state: F32, conditional: bool) -> I64:
    """int64[n] in [0, CELLS): where a row belongs; unconditional ones are all of agent bin 0."""
    at = np.zeros(len(state), np.int64)
    for place, edges in EDGES.items():
        at = at * (len(edges) + 1) + np.digitize(state[:, place], edges)
    agent = np.digitize(state[:, PriceState.AGENT], AGENT_EDGES) if conditional else 0
    return np.asarray(at * (len(AGENT_EDGES) + 1) + agent)


@dataclass(frozen=True, eq=False)
class TablePolicy:
    """Values f64[CELLS, 9] as they were learned; a cell never visited keeps the base price.

    Raises:
        SkynetError: `bad_policy` for another shape.
    """

    values: F64
    conditional: bool

    def __post_init__(self) -> None:
        if self.values.shape != (CELLS, len(MULTIPLIERS)) or not np.isfinite(self.values).all():
            raise invalid("bad_policy", "The table does not fit.")

    def act(self, observation: F32) -> I64:
        at = cells(rows(observation), self.conditional)
        return together(self.values[at].argmax(axis=1), observation)


class TableLearner:
    """Q-learning of many rows a step: a cell's rows are averaged, its rate falls with its visits.

    Args:
        gamma: discount; what a price does is over after a step or two.
    """

    def __init__(self, conditional: bool, seed: int, gamma: float = 0.5) -> None:
        self._conditional, self._gamma = conditional, gamma
        self._values: F64 = np.zeros((CELLS, len(MULTIPLIERS)))
        self._values[:, BASE] = _FIRST
        self._visits: F64 = np.zeros_like(self._values)
        self._rng = np.random.default_rng((seed, 2))

    def explore(self, state: F32, done: float) -> I64:
        """int64[n]: the best level, or any, less often towards the end (`done` 1)."""
        best = self._values[cells(state, self._conditional)].argmax(axis=1)
        any_ = self._rng.integers(0, len(MULTIPLIERS), len(state))
        return np.where(self._rng.random(len(state)) < max(0.1, 1 - 1.5 * done), any_, best)

    def learn(
        self, state: F32, levels: I64, reward: F64, after: F32, ended: NDArray[np.bool_]
    ) -> None:
        """One step of n rows; `after` counts nothing where the market `ended`."""
        at = cells(state, self._conditional)
        best = self._values[cells(after, self._conditional)].max(axis=1)
        target = reward + self._gamma * np.where(ended, 0.0, best)
        place = at * len(MULTIPLIERS) + levels
        count = np.bincount(place, minlength=self._values.size)
        total = np.bincount(place, target, self._values.size)
        met = count > 0
        visits, values = self._visits.reshape(-1), self._values.reshape(-1)
        visits[met] += count[met]
        rate = np.maximum(count[met] / visits[met], _LEAST_RATE)
        values[met] += rate * (total[met] / count[met] - values[met])

    def policy(self) -> TablePolicy:
        """What was learned so far."""
        return TablePolicy(self._values.copy(), self._conditional)
