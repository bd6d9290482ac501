# SPDX-License-Identifier: Apache-2.0
"""One arm plays a trial: wave after wave of conversations, token by token, with one budget.

A token is won iff w >= W_-i + reserve and then costs W_-i + reserve (threshold auction, Clarke).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipelines_dagster.defs.market import readers
from pipelines_dagster.defs.market.ab.bidders import Bidder, Session
from pipelines_dagster.defs.market.ab.purse import Purse, even
from pipelines_dagster.defs.market.ab.trial import Trial
from pipelines_dagster.defs.market.auctions import LONGEST
from pipelines_dagster.defs.market.traits import F64, I64


@dataclass(frozen=True)
class Setting:
    """What is the same for both arms.

    Attributes:
        waves: the campaign's conversations come in so many waves.
        budget: weight units a conversation; the campaign has their sum.
        reserve: weight to beat besides W_-i.
    """

    waves: int = 16
    budget: float = 15.0
    reserve: float = 0.5


@dataclass(frozen=True)
class Outcome:
    """Sums of one arm over one trial, in weight units; readers' reactions in expectation.

    Attributes:
        uneven: largest deviation from spending linearly in time, as a share of all spending.
    """

    value: float
    spend: float
    budget: float
    clicks: float
    readers: int
    shown: int
    tokens: int
    uneven: float

    @property
    def roi(self) -> float:
        """Net return on the budget; unspent money keeps its worth."""
        return (self.value - self.spend) / self.budget

    @property
    def ctr(self) -> float:
        """Clicks per reader of all conversations, with the ad shown or not."""
        return self.clicks / self.readers


def play(trial: Trial, bidder: Bidder, ad: I64, setting: Setting) -> Outcome:
    """Play candidate `ad` [n] of every conversation; value and clicks are the truth's means."""
    n = len(trial)
    purse = Purse(setting.budget * n, setting.waves * LONGEST)
    won, spend = np.zeros(n, np.int64), []
    for rows in np.array_split(np.arange(n), setting.waves):
        before = purse.spent
        session = bidder.open(trial, rows, ad[rows])
        cost = np.exp(trial.log_w[rows, 1:]) + setting.reserve
        limits = trial.tokens[rows, ad[rows]], trial.lengths[rows]
        won[rows] = _wave(session, cost, limits, purse)
        spend.append(purse.spent - before)
    each = np.arange(n)
    curve = readers.Curve(**{name: v[each, ad] for name, v in vars(trial.curve).items()})
    value = curve.value(won)
    return Outcome(
        value=float((value * trial.price[each, ad]).sum()),
        spend=purse.spent,
        budget=purse.budget,
        clicks=float(readers.rate_of(value).sum()),
        readers=readers.READERS * n,
        shown=int((won > 0).sum()),
        tokens=int(won.sum()),
        uneven=even(spend),
    )


def _wave(session: Session, cost: F64, limits: tuple[I64, I64], purse: Purse) -> I64:
    """Tokens won [m] by one wave of m conversations.

    Args:
        cost: [m, LONGEST] what each token costs its winner.
        limits: [m] tokens of the ad, and of the reply.
    """
    tokens, lengths = limits
    won = np.zeros(len(cost), np.int64)
    for t in range(LONGEST):
        active = np.flatnonzero((t < lengths) & (won < tokens))
        if len(active):
            weights, pace = session.bids(t, active, won, purse)
            wins = active[weights >= cost[active, t]]
            won[wins[purse.pay(cost[wins, t], pace)]] += 1
        purse.tick()
    return won
