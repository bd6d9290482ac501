# SPDX-License-Identifier: Apache-2.0
"""Fills rows of `CONTROL` by name: what the server and the simulators hand to the controller."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bls.contracts import AD_TOKENS, CONTROL, Control

VALUES = slice(16, 16 + AD_TOKENS)
LOSSES = slice(16 + AD_TOKENS, CONTROL)


def control(
    rows: int,
    *,
    dv: ArrayLike,
    loss: ArrayLike,
    left: ArrayLike,
    horizon: ArrayLike,
    lambda_risk: ArrayLike,
    momentum: ArrayLike,
    sigma_max: ArrayLike,
    w_max: ArrayLike,
    cost_model: ArrayLike,
    budget_left: ArrayLike,
    time_left: ArrayLike,
    spend_rate: ArrayLike = 0.0,
    reserve: ArrayLike = 0.0,
    neg_cnt: ArrayLike = 0.0,
    controlled: ArrayLike = 1.0,
) -> NDArray[np.float64]:
    """f64 [rows, 112]; every argument is one value for all rows or [rows], see `Control`.

    Args:
        rows: how many.
        dv, loss: [rows, k] or [k], k up to 48, from the token about to be sold on; zeros follow.
        spend_rate: what the row's campaign would spend at pace 1, see `SpendMeter`.

    Raises ValueError where an array does not fit.
    """
    fields = dict(locals())
    made = np.zeros((rows, CONTROL))
    for place in Control:
        made[:, place] = fields[place.name.lower()]
    _fill(made[:, VALUES], dv, "dv")
    _fill(made[:, LOSSES], loss, "loss")
    return made


def uncontrolled(rows: int) -> NDArray[np.float64]:
    """Rows whose weight is their bid."""
    return np.zeros((rows, CONTROL))


def _fill(block: NDArray[np.float64], values: ArrayLike, name: str) -> None:
    given: NDArray[Any] = np.asarray(values, np.float64)
    if given.ndim not in (1, 2) or given.shape[-1] > AD_TOKENS:
        raise ValueError(
            f"{name}: expected [rows, k] or [k], k up to {AD_TOKENS}, got {given.shape}"
        )
    block[:, : given.shape[-1]] = given
