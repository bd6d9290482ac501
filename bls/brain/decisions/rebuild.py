# SPDX-License-Identifier: Apache-2.0
"""Logged decisions as the kernel's inputs again, bit for bit.

`ahead` is also how the reply loop must cut a value curve: f32 values, widened, times the rate.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bls.brain.curve import value_curve
from bls.contracts import AD_TOKENS, CONTROL, Control

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
Json = dict[str, Any]

_VALUES = CONTROL - 2 * AD_TOKENS
_MIXTURE = ("mu1", "s1", "mu2", "s2", "alpha")
_CONTROL = {
    Control.CONTROLLED: "controlled",
    Control.HORIZON: "horizon",
    Control.LAMBDA_RISK: "lambda_risk",
    Control.MOMENTUM: "momentum",
    Control.SIGMA_MAX: "sigma_max",
    Control.W_MAX: "w_max",
    Control.COST_MODEL: "cost_model",
    Control.RESERVE: "reserve",
    Control.RIVAL_SHARE: "rival_share",
    Control.BUDGET_LEFT: "budget_left",
    Control.TIME_LEFT: "time_left",
    Control.SPEND_RATE: "spend_rate",
    Control.NEG_CNT: "neg_before",
    Control.LEFT: "left",
}


def ahead(values: F32, won: int, left: int, rate: float) -> F64:
    """f64 [48]: the next `left` of a curve's `values` f32 [48] after `won`, times `rate`; then 0.

    The product is taken in float64 whatever the numpy: `f32[48] * np.float64` is f32 before
    numpy 2 and f64 after.
    """
    made = np.zeros(AD_TOKENS)
    made[:left] = values[won : won + left].astype(np.float64) * float(rate)
    return made


def kernel_inputs(lines: Sequence[Json]) -> tuple[F32, F32, F64]:
    """(mixture f32 [n, 5], bid f32 [n], control f64 [n, 112]) of n parsed lines."""
    mixture = np.array([[line[name] for name in _MIXTURE] for line in lines], np.float64)
    control = np.zeros((len(lines), CONTROL))
    for place, name in _CONTROL.items():
        control[:, place] = [line[name] for line in lines]
    d_v, loss = value_curve(*([line[n] for line in lines] for n in ("v_max", "a", "k_0", "count")))
    for number, line in enumerate(lines):
        where = line["won"], line["left"], line["rate"]
        control[number, _VALUES : _VALUES + AD_TOKENS] = ahead(d_v[number], *where)
        control[number, _VALUES + AD_TOKENS :] = ahead(loss[number], *where)
    bid = np.array([line["bid"] for line in lines], np.float32)
    return mixture.astype(np.float32), bid, control
