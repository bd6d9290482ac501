# SPDX-License-Identifier: Apache-2.0
"""One ad on its way into a reply: how much of it was won, what is left, when it leaves.

The k-th token of the trajectory is the k-th token credited to the row, so the value curve is read
at `won`. Once the controller abandons the ad, `plan_id` more tokens of the reply may still be bid
for; then the row bids nothing and the reference ends the sentence (mpc 2.2 F).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from bls.brain.decisions.rebuild import ahead
from bls.contracts import AD_TOKENS, Decision
from bls.reply.outcome import Outcome

F64 = NDArray[np.float64]


@dataclass(frozen=True)
class Curve:
    """What an ad is worth in this context, per unit of rate (trajectory_value 2.2.1).

    Attributes:
        d_v, loss: f32 [48], 0 past `count`.
        count: T, tokens of the ad.
        tve: the version that says so (`bls.models.served`).
    """

    v_max: float
    a: float
    k_0: float
    spread: float
    d_v: NDArray[np.float32]
    loss: NDArray[np.float32]
    count: int
    tve: str = ""


@dataclass
class Trajectory:
    """State of one controlled row.

    Attributes:
        row: in the reply, 1 the first advertiser.
        rate: value of a unit of response, in weight units.
        won: tokens of the ad so far.
        neg_cnt: the controller's running count.
        plan: tokens the row may still bid for; None until it is abandoned.
        discount: of what it is worth, for who may be reading (`bls.phantom.bridge`).
        loss_discount: of what leaving it loses.
    """

    row: int
    advertiser: str
    rate: float
    curve: Curve
    won: int = 0
    neg_cnt: float = 0.0
    plan: int | None = None
    discount: float = 1.0
    loss_discount: float = 1.0
    _worth: F64 = field(init=False)
    _lost: F64 = field(init=False)

    def __post_init__(self) -> None:
        self._worth, self._lost = self._padded(self.curve.d_v), self._padded(self.curve.loss)

    @property
    def left(self) -> int:
        """Tokens of the ad that can still be won."""
        rest = max(0, self.curve.count - self.won)
        return rest if self.plan is None else min(rest, self.plan)

    @property
    def gone(self) -> bool:
        """Delivered whole, or abandoned and past its plan."""
        return self.left == 0

    @property
    def d_v(self) -> F64:
        """Worth of each token from here on, f64 [48] in weight units."""
        worth = self._worth[self.won : self.won + AD_TOKENS]
        return worth if self.discount == 1 else worth * self.discount

    @property
    def loss(self) -> F64:
        """What leaving at each token from here on loses, as `d_v`."""
        lost = self._lost[self.won : self.won + AD_TOKENS]
        return lost if self.loss_discount == 1 else lost * self.loss_discount

    def _padded(self, values: NDArray[np.float32]) -> F64:
        """The whole curve in weight units, f64 [96]."""
        whole = ahead(values, 0, AD_TOKENS, self.rate)
        return np.concatenate([whole, np.zeros(AD_TOKENS)])

    def saw(self, outcome: Outcome) -> bool:
        """Take in a delivered token; whether the controller abandoned the ad with it."""
        if self.plan is not None:
            self.plan = max(0, self.plan - 1)
        self.won += outcome.winner == self.row
        if outcome.decision is None or self.plan is not None:
            return False
        decision = outcome.decision[self.row]
        self.neg_cnt = float(decision[Decision.NEG_CNT])
        if decision[Decision.ABANDON] == 0:
            return False
        self.plan = int(decision[Decision.PLAN_ID])
        return True
