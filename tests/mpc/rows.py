# SPDX-License-Identifier: Apache-2.0
"""Plain rows for the controller's tests."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kernels_cuda.mpc import Mpc, control

PLAIN = (0.0, 0.5, 0.5, 0.3, 0.4)
"""mu_1, s_1, mu_2, s_2, alpha."""


def row(n: int = 1, **fields: object) -> NDArray[np.float64]:
    """f64 [n, 112]: three tokens worth 4 each, plenty of budget; `fields` override."""
    plain: dict[str, object] = {
        "dv": [4.0, 4.0, 4.0],
        "loss": [0.5, 0.5, 0.5],
        "left": 3,
        "horizon": 3,
        "lambda_risk": 0.5,
        "momentum": 2,
        "sigma_max": 1.0,
        "w_max": 5.0,
        "cost_model": 0,
        "budget_left": 1e6,
        "time_left": 100.0,
    }
    return control(n, **{**plain, **fields})  # type: ignore[arg-type]


def mixtures(n: int, *values: float) -> NDArray[np.float32]:
    return np.tile(np.array(values or PLAIN, np.float32), (n, 1))


def decide(mpc: Mpc, rows: NDArray[np.float64], *mixture: float):
    """(weight [n], decision [n, 8]) with one mixture for all rows."""
    n = len(rows)
    return mpc.decide(mixtures(n, *mixture), np.full(n, 0.25, np.float32), rows)
