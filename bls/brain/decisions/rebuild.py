# SPDX-License-Identifier: Apache-2.0
"""Logged decisions as the kernel's inputs again, bit for bit.

`ahead` is also how the reply loop must cut a value curve: f32 values, widened, times the rate.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bls.brain.curve import value_curve
from bls.contracts import AD_TOKENS, CONTROL, Control

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
Json = dict[str, Any]

_VALUES = CONTROL - 2 * AD_TOKENS
_AHEAD = np.arange(AD_TOKENS)
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


def ahead(values: F32, won: ArrayLike, left: ArrayLike, rate: ArrayLike) -> F64:
    """f64 [n, 48]: the next `left` of the curves `values` f32 [n, 48] after `won`, times `rate`.

    Zero past them. The others are [n], or one for all; without n, of one curve. The product is
    taken in float64 whatever the numpy: `f32[48] * np.float64` is f32 before numpy 2, f64 after.
    """
    won, left, rate = (np.asarray(x)[..., None] for x in (won, left, rate))
    place = np.broadcast_to(np.minimum(won + _AHEAD, AD_TOKENS - 1), values.shape)
    cut = np.take_along_axis(values.astype(np.float64), place, axis=-1) * rate.astype(np.float64)
    return np.where(left > _AHEAD, cut, 0.0)


def kernel_inputs(lines: Sequence[Json]) -> tuple[F32, F32, F64]:
    """(mixture f32 [n, 5], bid f32 [n], control f64 [n, 112]) of n parsed lines."""
    mixture = np.array([[line[name] for name in _MIXTURE] for line in lines], np.float64)
    control = np.zeros((len(lines), CONTROL))
    for place, name in _CONTROL.items():
        control[:, place] = [line[name] for line in lines]
    d_v, loss = value_curve(*([line[n] for line in lines] for n in ("v_max", "a", "k_0", "count")))
    won, left, rate = (np.array([line[n] for line in lines]) for n in ("won", "left", "rate"))
    worth, lost = ahead(d_v, won, left, rate), ahead(loss, won, left, rate)
    less = np.array([(line["discount"], line["loss_discount"]) for line in lines], np.float64)
    control[:, _VALUES : _VALUES + AD_TOKENS] = worth * less[:, :1]
    control[:, _VALUES + AD_TOKENS :] = lost * less[:, 1:]
    bid = np.array([line["bid"] for line in lines], np.float32)
    return mixture.astype(np.float32), bid, control
