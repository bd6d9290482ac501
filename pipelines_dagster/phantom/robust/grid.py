# SPDX-License-Identifier: Apache-2.0
"""The published robustness: the minimum over a grid of agent shares around the believed one.

Source: PHANTOM's model, "Robustness in the published engine": the minimum over a grid of alpha in
`|alpha - alpha0| <= eps` (defaults: radius 0.15, 5 points).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bls.errors import invalid

F64 = NDArray[np.float64]


def points(alpha0: ArrayLike, radius: float, count: int) -> F64:
    """f64[..., count] ascending shares within `radius` of `alpha0` f64[...], cut to [0, 1].

    Evenly spaced between the two ends; the nearest of them is moved onto `alpha0`, which is thus
    always judged too.

    Raises:
        SkynetError: `bad_grid` for a share outside [0, 1], a negative radius or no point.
    """
    believed = np.asarray(alpha0, np.float64)
    if not (np.all((believed >= 0) & (believed <= 1)) and radius >= 0 and count >= 1):
        raise invalid("bad_grid", "A grid needs shares in [0, 1], a radius >= 0, a point or more.")
    low, high = np.maximum(believed - radius, 0), np.minimum(believed + radius, 1)
    grid: F64 = np.linspace(low, high, count, axis=-1)
    nearest = np.abs(grid - believed[..., None]).argmin(axis=-1)[..., None]
    np.put_along_axis(grid, nearest, believed[..., None], axis=-1)
    return grid
