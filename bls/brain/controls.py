# SPDX-License-Identifier: Apache-2.0
"""CONTROL of a token: parameters that seldom change, and where each ad and its money stand."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bls.brain.params import MpcParams
from bls.brain.purse import Purse
from bls.brain.trajectory import Trajectory
from bls.contracts import CONTROL, Control, CostModel
from kernels_cuda.mpc_control import LOSSES, VALUES, control

F64 = NDArray[np.float64]
_COST = {"bid": CostModel.BID, "vcg": CostModel.VCG}
_MOVING = [
    Control.W_MAX,
    Control.BUDGET_LEFT,
    Control.TIME_LEFT,
    Control.SPEND_RATE,
    Control.NEG_CNT,
    Control.LEFT,
]


class Controls:
    """Of one reply.

    Args:
        w_ref: weight of the reference.
    """

    def __init__(self, w_ref: float) -> None:
        self._w_ref = w_ref
        self._params: MpcParams | None = None
        self._row: F64 = np.empty(0)

    def rows(self, count: int, params: MpcParams, asked: Sequence[tuple[Trajectory, Purse]]) -> F64:
        """f64 [count, 112]; rows that nobody asks for are not controlled."""
        if params is not self._params:
            self._params, self._row = params, self._template(params)
        made = np.zeros((count, CONTROL))
        for trajectory, purse in asked:
            row, state = made[trajectory.row], purse.state()
            row[:] = self._row
            row[_MOVING] = (
                purse.allow(params.w_max),
                *state,
                trajectory.neg_cnt,
                trajectory.left,
            )
            row[VALUES], row[LOSSES] = trajectory.d_v, trajectory.loss
        return made

    def _template(self, params: MpcParams) -> F64:
        """A row with what the parameters say."""
        made = control(
            1,
            dv=[0.0],
            loss=[0.0],
            left=0,
            horizon=params.horizon,
            lambda_risk=params.lambda_risk,
            momentum=params.momentum,
            sigma_max=params.sigma_max,
            w_max=params.w_max,
            cost_model=_COST[params.cost_model],
            reserve=params.reference_share * self._w_ref,
            rival_share=params.rival_share,
            budget_left=0.0,
            time_left=0.0,
        )
        row: F64 = made[0]
        return row
