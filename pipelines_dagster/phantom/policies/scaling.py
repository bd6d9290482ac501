# SPDX-License-Identifier: Apache-2.0
"""A row of `PriceState` as learned policies see it: cut to a range, then brought near [-1, 1].

The cut holds whatever a caller sends: a value outside training never leaves the network's range.
Demand is taken by its logarithm: it spans hundredths of an average item to tens of them.

A policy sees demand and the price shown last; one that is conditioned sees the agent probability
too. All else is a constant 0 to it: what does not vary in the market (floor, ceiling, cost) would
only be extrapolated, and the numbers of events and quotes tell the share of agents to policies that
are not to know it.
"""

from __future__ import annotations

import numpy as np

from bls.contracts import PriceState
from pipelines_dagster.phantom.policies.policy import F32, STATE, Robust

_RANGES = {
    PriceState.DEMAND: (0.0, 12.0),
    PriceState.PRICE: (0.75, 1.25),
    PriceState.LOW: (0.0, 1.0),
    PriceState.HIGH: (1.0, 8.0),
    PriceState.COST: (0.0, 1.0),
    PriceState.AGENT: (0.0, 1.0),
    PriceState.EVENTS: (0.0, 2.0),
    PriceState.QUOTES: (0.0, 2.0),
}
CUT = np.array([_RANGES[place] for place in PriceState], np.float32).T
"""[2, STATE]: least and most."""
LOGARITHM = np.array([place is PriceState.DEMAND for place in PriceState])
"""[STATE]: where ln(1 + x) is taken, after the cut."""
_ENDS = np.where(LOGARITHM, np.log1p(CUT), CUT)
CENTRE = _ENDS.mean(axis=0).astype(np.float32)
HALF = ((_ENDS[1] - _ENDS[0]) / 2).astype(np.float32)


def seen(robust: Robust) -> F32:
    """f32[STATE]: 1 where a policy trained so sees a feature, else 0."""
    mask = np.zeros(STATE, np.float32)
    mask[[PriceState.DEMAND, PriceState.PRICE]] = 1
    mask[PriceState.AGENT] = robust == "conditional"
    return mask


def scaled(rows: F32, mask: F32) -> F32:
    """f32[n, STATE] of rows f32[n, STATE]; not-a-number becomes the middle."""
    cut = np.clip(rows, CUT[0], CUT[1])
    near = (np.where(LOGARITHM, np.log(np.float32(1) + cut), cut) - CENTRE) / HALF * mask
    told: F32 = np.nan_to_num(near).astype(np.float32)
    return told
