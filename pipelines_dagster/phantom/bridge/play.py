# SPDX-License-Identifier: Apache-2.0
"""One advertiser's campaign among people and agents, with the parts of the bridge that an arm has.

The controller is the compiled one. A token is won iff w >= W_-i + reserve and costs that; value is
what people do, in expectation; an agent is worth nothing. Refunds come back to the budget when the
wave ends, as a reply's do when it ends.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bls.brain.params import MpcParams
from bls.phantom.bridge import Dials
from pipelines_dagster.defs.market import readers
from pipelines_dagster.defs.market.ab.bidders import Controller
from pipelines_dagster.defs.market.ab.play import Setting
from pipelines_dagster.defs.market.ab.purse import Purse
from pipelines_dagster.defs.market.ab.trial import Trial
from pipelines_dagster.defs.market.auctions import LONGEST
from pipelines_dagster.defs.market.traits import F64, I64, Bool

Curves = tuple[F64, F64, F64]


@dataclass(frozen=True)
class Arm:
    """Which parts of the bridge are on; `loss`: the discount's share that L takes too."""

    name: str
    discounts: bool = False
    loss: float = 0.0
    refunds: bool = False
    filters: bool = False


ARMS = (
    Arm("off"),
    Arm("filter", filters=True),
    Arm("discount dV", discounts=True),
    Arm("discount dV, L", discounts=True, loss=1.0),
    Arm("refund", refunds=True),
    Arm("on", discounts=True, refunds=True, filters=True),
    Arm("on, with L", discounts=True, loss=1.0, refunds=True, filters=True),
)


@dataclass(frozen=True)
class Traffic:
    """Who the n conversations are with, and what f says of them.

    Attributes:
        discount, invalid: by `score`; discount_before: by the one that it replaces.
        moves: where in the reply it does, as a share of its tokens.
    """

    agent: Bool
    score: F64
    discount: F64
    invalid: Bool
    discount_before: F64
    moves: F64


@dataclass(frozen=True)
class Result:
    """Of one campaign, weight units. `paid` is after refunds."""

    value: float
    paid: float
    refunded: float

    @property
    def roi(self) -> float:
        """Value delivered a unit paid; 0 where nothing was."""
        return self.value / self.paid if self.paid > 0 else 0.0


def campaign(
    trial: Trial, believed: Curves, traffic: Traffic, arm: Arm, setting: Setting
) -> Result:
    """Play the first candidate ad of every conversation."""
    n = len(trial)
    purse = Purse(setting.budget * n, setting.waves * LONGEST)
    discount = None
    if arm.discounts:
        losses = Dials(loss=arm.loss).losses
        discount = np.stack([traffic.discount, [losses(d) for d in traffic.discount]], axis=1)
    bidder = Controller(MpcParams(), believed, setting.reserve, discount)
    won, paid = np.zeros(n, np.int64), np.zeros(n)
    for rows in np.array_split(np.arange(n), setting.waves):
        won[rows], paid[rows] = _wave(trial, bidder, rows, purse, setting.reserve)
        if arm.refunds:
            purse.spent -= float(paid[rows][traffic.invalid[rows]].sum())
    ad = np.zeros(n, np.int64)
    each = np.arange(n)
    curve = readers.Curve(**{name: v[each, ad] for name, v in vars(trial.curve).items()})
    value = curve.value(won) * trial.price[each, ad]
    refunded = float(paid[traffic.invalid].sum()) if arm.refunds else 0.0
    return Result(float(value[~traffic.agent].sum()), float(paid.sum()) - refunded, refunded)


def _wave(
    trial: Trial, bidder: Controller, rows: I64, purse: Purse, reserve: float
) -> tuple[I64, F64]:
    """Tokens won and their cost [m] in conversations that are written at the same time."""
    session = bidder.open(trial, rows, np.zeros(len(rows), np.int64))
    cost = np.exp(trial.log_w[rows, 1:]) + reserve
    tokens, lengths = trial.tokens[rows, 0], trial.lengths[rows]
    won, paid = np.zeros(len(rows), np.int64), np.zeros(len(rows))
    for t in range(LONGEST):
        active = np.flatnonzero((t < lengths) & (won < tokens))
        if len(active):
            weights, pace = session.bids(t, active, won, purse)
            wins = active[weights >= cost[active, t]]
            wins = wins[purse.pay(cost[wins, t], pace)]
            won[wins] += 1
            paid[wins] += cost[wins, t]
        purse.tick()
    return won, paid
