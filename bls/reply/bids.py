# SPDX-License-Identifier: Apache-2.0
"""What the rows of a reply bring to the auction of one token, besides their logits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Weights = NDArray[np.float32]


@dataclass(frozen=True)
class Bids:
    """Arrays are [R, ...], row 0 the reference.

    Attributes:
        weights: f32 [R] fixed weights; not read on rows that the controller decides.
        control: f64 [R, 112] what `mpc` reads (bls/contracts.py `Control`); None: all are fixed.
        features: f32 [R, 150] asks `bid_predictor` for a forecast.
        mixture: f32 [R, 5] the forecast to use instead.
        without: the same bids without asking the predictor; for when it fails.
    """

    weights: Weights
    control: NDArray[np.float64] | None = None
    features: NDArray[np.float32] | None = None
    mixture: NDArray[np.float32] | None = None
    without: Callable[[], Bids] | None = None
