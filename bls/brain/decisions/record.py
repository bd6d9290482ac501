# SPDX-License-Identifier: Apache-2.0
"""One decision of the controller as it is logged: a flat JSON line that can be decided again.

Everything the kernel read is in it: the forecast, the parameters, the budget, and the value curve
with its place (`v_max a k_0 rate won left`), from which dV and L are computed again. f32 numbers
are written as the float64 they are, so nothing is rounded. Source: mpc 1.2, 4.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from operator import itemgetter
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bls.contracts import Control, Decision
from bls.jsonlog import JsonLog

STREAM = "mpc.decisions"
VERSION = 1


_CONTROL = itemgetter(
    Control.CONTROLLED,
    Control.HORIZON,
    Control.LAMBDA_RISK,
    Control.MOMENTUM,
    Control.SIGMA_MAX,
    Control.W_MAX,
    Control.COST_MODEL,
    Control.RESERVE,
    Control.RIVAL_SHARE,
    Control.LEFT,
    Control.NEG_CNT,
    Control.BUDGET_LEFT,
    Control.TIME_LEFT,
    Control.SPEND_RATE,
)
_DECISION = itemgetter(
    Decision.W_STAR,
    Decision.UTILITY,
    Decision.PACE,
    Decision.SIGMA_EFF,
    Decision.ABANDON,
    Decision.PLAN_ID,
    Decision.NEG_CNT,
    Decision.METHOD,
)


class Place(NamedTuple):
    """Which token of which reply, and which of its rows. `ts`: Unix seconds."""

    conv_id: str
    request_id: str
    token_idx: int
    row: int
    advertiser: str
    ts: float


class Worth(NamedTuple):
    """Where on its value curve the ad stood. The curve is per unit of rate, f32.

    Attributes:
        won: tokens of the ad before this one.
        tokens: T, all of the ad's; `count` in the record.
    """

    v_max: float
    a: float
    k_0: float
    rate: float
    won: int
    tokens: int


@dataclass
class DecisionRecord:
    """A line. Weights and values in bid units; (conv_id, request_id, token_idx, row) is its key.

    Attributes:
        controlled: 0: the row had a fixed `bid`, which is its weight.
        mu1, s1, mu2, s2, alpha: forecast of log W_-i.
        w_star: before pacing, weight = w_star x pace.
        util: U(w_star).
        neg_before, neg_cnt: consecutive negatives before and after this token.
        plan_id: tokens still to emit when `abandon`, else -1.
        method: 0 none, 1 Newton, 2 bisection, 3 the grid's own point, -1 refused.
        reserve, rival_share: the weight to beat is reserve + rival_share W_-i.
        left: tokens the ad could still win.
        path: instruction set of the kernel (`kernels_cuda.contract.Path`), 0 unknown.
        predictor, tve: the versions behind forecast and value curve (`bls.models.served`); empty:
            the forecast was held, or is of an older build.
        discount, loss_discount: what dV and L were multiplied by, for the agent probability of the
            chat's session.
    """

    v: int
    conv_id: str
    request_id: str
    token_idx: int
    row: int
    advertiser: str
    ts: float
    controlled: int
    bid: float
    mu1: float
    s1: float
    mu2: float
    s2: float
    alpha: float
    w_star: float
    weight: float
    util: float
    pace: float
    sigma_eff: float
    abandon: bool
    plan_id: int
    neg_cnt: int
    method: int
    horizon: int
    lambda_risk: float
    momentum: int
    sigma_max: float
    w_max: float
    cost_model: int
    reserve: float
    rival_share: float
    params_version: int
    v_max: float
    a: float
    k_0: float
    rate: float
    won: int
    count: int
    left: int
    neg_before: int
    budget_left: float
    time_left: float
    spend_rate: float
    latency_ms: float
    path: int
    predictor: str = ""
    tve: str = ""
    discount: float = 1.0
    loss_discount: float = 1.0

    @classmethod
    def of(
        cls,
        place: Place,
        worth: Worth,
        mixture: NDArray[np.float32],
        control: NDArray[np.float64],
        decision: NDArray[np.float64],
        *,
        weight: float,
        bid: float = 0.0,
        params_version: int,
        latency_ms: float,
        path: int = 0,
        predictor: str = "",
        tve: str = "",
        discount: float = 1.0,
        loss_discount: float = 1.0,
    ) -> DecisionRecord:
        """The record of one row.

        Args:
            mixture: f32 [5], control: f64 [112], decision: f64 [8], as the kernel took and gave
                them; of control the first 16 are read.
            weight, bid: f32 as floats.
        """
        c, d = _CONTROL(control[:16].tolist()), _DECISION(decision.tolist())
        controlled, horizon, lambda_risk, momentum, sigma_max, w_max, cost_model = c[:7]
        reserve, rival_share, left, neg_before, budget_left, time_left, spend_rate = c[7:]
        w_star, util, pace, sigma_eff, abandon, plan_id, neg_cnt, method = d
        mu1, s1, mu2, s2, alpha = mixture.tolist()
        return cls(
            VERSION,
            *place,
            int(controlled),
            bid,
            mu1,
            s1,
            mu2,
            s2,
            alpha,
            w_star,
            weight,
            util,
            pace,
            sigma_eff,
            abandon != 0.0,
            int(plan_id),
            int(neg_cnt),
            int(method),
            int(horizon),
            lambda_risk,
            int(momentum),
            sigma_max,
            w_max,
            int(cost_model),
            reserve,
            rival_share,
            params_version,
            *worth,
            int(left),
            int(neg_before),
            budget_left,
            time_left,
            spend_rate,
            latency_ms,
            path,
            predictor,
            tve,
            discount,
            loss_discount,
        )


KINDS: Mapping[str, type] = {
    field.name: {"int": int, "float": float, "bool": bool, "str": str}[str(field.type)]
    for field in fields(DecisionRecord)
}
"""Type of every field of a line; a float may be written as null (not a number)."""

OPTIONAL: Mapping[str, Any] = {"predictor": "", "tve": "", "discount": 1.0, "loss_discount": 1.0}
"""Fields that lines of earlier builds do not have, and what they stand for there."""


@dataclass(frozen=True)
class DecisionLog:
    """Logs decisions without waiting; see `JsonLog`."""

    log: JsonLog

    def __call__(self, records: Sequence[DecisionRecord]) -> None:
        lines: list[tuple[str, Mapping[str, Any]]] = [(STREAM, vars(r)) for r in records]
        if lines:
            self.log.write_many(lines)
