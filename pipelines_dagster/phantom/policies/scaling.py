# SPDX-License-Identifier: Apache-2.0
"""A row of `PriceState` as learned policies see it: cut to a range, then brought near [-1, 1].

The cut holds whatever a caller sends: a value outside training never leaves the network's range.
A policy that does not condition on the share of agents gets that feature as a constant 0.
"""

from __future__ import annotations

import numpy as np

from bls.contracts import PriceState
from pipelines_dagster.phantom.policies.policy import F32, STATE, Robust

_RANGES = {
    PriceState.DEMAND: (0.0, 4.0),
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
CENTRE = CUT.mean(axis=0)
HALF = (CUT[1] - CUT[0]) / 2


def seen(robust: Robust) -> F32:
    """f32[STATE]: 1 where a policy trained so sees a feature, else 0."""
    mask = np.ones(STATE, np.float32)
    mask[PriceState.AGENT] = robust == "conditional"
    return mask


def scaled(rows: F32, mask: F32) -> F32:
    """f32[n, STATE] of rows f32[n, STATE]; not-a-number becomes the middle."""
    near = (np.clip(rows, CUT[0], CUT[1]) - CENTRE) / HALF * mask
    return np.nan_to_num(near).astype(np.float32)
