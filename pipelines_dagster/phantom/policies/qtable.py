# SPDX-License-Identifier: Apache-2.0
"""The q-table: demand, last price, room below and agent share in bins, a row of 9 values each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bls.contracts import MULTIPLIERS, PriceState
from bls.errors import invalid
from pipelines_dagster.phantom.policies.policy import F32, F64, I64, rows, together

EDGES: dict[PriceState, tuple[float, ...]] = {
    PriceState.DEMAND: (0.02, 0.1, 0.3, 0.6, 1.0, 1.5, 2.2),
    PriceState.PRICE: (0.875, 0.975, 1.025, 1.125),
    PriceState.LOW: (0.1, 0.15, 0.2, 0.25, 0.35, 0.5),
}
AGENT_EDGES = (0.2, 0.4, 0.6, 0.8)
_SHAPE = tuple(len(edges) + 1 for edges in EDGES.values())
CELLS = int(np.prod(_SHAPE)) * (len(AGENT_EDGES) + 1)


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
