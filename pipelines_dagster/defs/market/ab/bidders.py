# SPDX-License-Identifier: Apache-2.0
"""The arms: a fixed bid, and the receding-horizon controller as the reply loop runs it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from bls.brain.curve import value_curve
from bls.brain.params import MpcParams
from bls.contracts import AD_TOKENS, CostModel, Decision
from kernels_cuda.mpc import Mpc, control
from pipelines_dagster.defs.market.ab.purse import Purse
from pipelines_dagster.defs.market.ab.trial import Trial
from pipelines_dagster.defs.market.traits import F64, I64, Bool

_COST = {"bid": CostModel.BID, "vcg": CostModel.VCG}


class Session(Protocol):
    """One wave of conversations, all at the same token."""

    def bids(self, t: int, active: I64, won: I64, purse: Purse) -> tuple[F64, float]:
        """Weights [len(active)] for token t, and the pace they were bid with.

        Args:
            active: places in the wave that may bid.
            won: [wave] tokens of the ad so far.
        """


class Bidder(Protocol):
    """Opens sessions. `rows` are conversations of the trial, `ad` the candidate of each."""

    def open(self, trial: Trial, rows: I64, ad: I64) -> Session: ...


@dataclass(frozen=True)
class FixedBid:
    """The same bid for every token until the ad is delivered or the money is gone.

    Attributes:
        by_price: `bid` is a share of the ad's value of a unit of response instead.
    """

    bid: float
    by_price: bool = False

    def open(self, trial: Trial, rows: I64, ad: I64) -> Session:
        price = trial.price[rows, ad] if self.by_price else np.ones(len(rows))
        return _Fixed(self.bid * price)


@dataclass(frozen=True)
class _Fixed:
    weights: F64

    def bids(self, t: int, active: I64, won: I64, purse: Purse) -> tuple[F64, float]:
        return self.weights[active], 1.0


@dataclass(frozen=True)
class Controller:
    """The brain: the trial's forecasts and a value curve into the compiled controller.

    Attributes:
        curves: v_max, a, k_0 [n, CANDIDATES] that it believes.
        reserve: weight to beat besides W_-i.
        discount: [n, 2] of dV and of L in each conversation (`bls.phantom.bridge`); None: 1.
    """

    params: MpcParams
    curves: tuple[F64, F64, F64]
    reserve: float
    discount: F64 | None = None

    def open(self, trial: Trial, rows: I64, ad: I64) -> Session:
        return _Controlled(self, trial, rows, ad)


class _Controlled:
    """State of a wave: the rows' counters and plans, as `bls.brain` keeps them for a reply."""

    def __init__(self, arm: Controller, trial: Trial, rows: I64, ad: I64) -> None:
        self._arm, self._trial, self._rows = arm, trial, rows
        self._count = trial.tokens[rows, ad]
        v_max, a, k_0 = (p[rows, ad] for p in arm.curves)
        price = trial.price[rows, ad, None]
        per_unit = value_curve(v_max, a, k_0, self._count)
        beyond = ((0, 0), (0, AD_TOKENS))
        self._d_v, self._loss = (np.pad(x * price, beyond) for x in per_unit)
        if arm.discount is not None:
            self._d_v *= arm.discount[rows, :1]
            self._loss *= arm.discount[rows, 1:]
        self._neg = np.zeros(len(rows))
        self._plan = np.full(len(rows), -1)
        self._mpc = Mpc()

    def bids(self, t: int, active: I64, won: I64, purse: Purse) -> tuple[F64, float]:
        weights = np.zeros(len(active))
        left = self._left(active, won)
        asked = np.flatnonzero(left > 0)
        if not len(asked) or purse.left <= 0:
            return weights, 1.0
        rows = active[asked]
        decision = self._decide(t, rows, won[rows], left[asked], purse)
        self._learn(rows, decision)
        pace = decision[:, Decision.PACE]
        weights[asked] = decision[:, Decision.W_STAR] * pace
        return weights, float(pace.mean())

    def _left(self, active: I64, won: I64) -> I64:
        rest = np.maximum(0, self._count[active] - won[active])
        plan = self._plan[active]
        return np.where(plan < 0, rest, np.minimum(rest, plan))

    def _decide(self, t: int, rows: I64, won: I64, left: I64, purse: Purse) -> F64:
        params = self._arm.params
        places = won[:, None] + np.arange(AD_TOKENS)
        inside = np.arange(AD_TOKENS) < left[:, None]
        mixture = self._trial.mixture[self._rows[rows], t]
        controls = control(
            len(rows),
            dv=np.where(inside, np.take_along_axis(self._d_v[rows], places, axis=1), 0.0),
            loss=np.where(inside, np.take_along_axis(self._loss[rows], places, axis=1), 0.0),
            left=left,
            neg_cnt=self._neg[rows],
            horizon=params.horizon,
            lambda_risk=params.lambda_risk,
            momentum=params.momentum,
            sigma_max=params.sigma_max,
            w_max=params.w_max,
            cost_model=_COST[params.cost_model],
            reserve=self._arm.reserve,
            budget_left=purse.left,
            time_left=purse.time_left,
            spend_rate=purse.unpaced,
        )
        return self._mpc.decide(mixture, np.zeros(len(rows), np.float32), controls)[1]

    def _learn(self, rows: I64, decision: F64) -> None:
        """A row once abandoned is bid for `plan_id` more tokens of the reply, then no more."""
        planned: Bool = self._plan[rows] >= 0
        self._plan[rows[planned]] = np.maximum(0, self._plan[rows[planned]] - 1)
        self._neg[rows] = decision[:, Decision.NEG_CNT]
        leaves = ~planned & (decision[:, Decision.ABANDON] > 0)
        self._plan[rows[leaves]] = decision[leaves, Decision.PLAN_ID]
