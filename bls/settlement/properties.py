# SPDX-License-Identifier: Apache-2.0
"""The mechanism's promises, checked on what was really charged (argmax mode).

Individual rationality: `0 <= pay_i <= w_i P_i(t)` and `0 <= c_i <= w_i`. Monotonicity: with row i's
bid alone scaled, P_i of the winner and the payment never fall as the bid rises; the logged token
wins from the logged critical bid to the bid and loses below (above the bid, row i may win a token
that it likes better still). Everything is evaluated on the union.
"""

from __future__ import annotations

import numpy as np

from bls.settlement.bounds import NORMALISER_REL, Bounds, Verdict
from bls.settlement.events import F64, Bool, Events
from bls.settlement.prices import ABSOLUTE, RELATIVE, Prices

FACTORS = (0.0, 0.25, 0.5, 0.75, 0.9, 1.1, 1.5, 2.0)


def individually_rational(events: Events, bounds: Bounds) -> Bool:
    """[n] nobody pays more than its bid times what it got. A draw promises this on average only."""
    p = np.where(bounds.inside[:, None], bounds.at_token(bounds.p), events.p_token)
    slack = ABSOLUTE * events.weights.sum(axis=1, keepdims=True)
    fair = (events.pay >= 0) & (events.pay <= events.weights * p * (1 + RELATIVE) + slack)
    bids = (events.critical_bid >= 0) & (events.critical_bid <= events.weights + slack)
    return np.asarray((fair & bids).all(axis=1) | events.sampled)


def monotone(events: Events, bounds: Bounds, prices: Prices) -> Bool:
    """[n] allocation and payment never fall over `FACTORS`, and the critical bid is the step."""
    proven = prices.pay.verdicts(events.pay, events.weights) == Verdict.PROVEN
    pay = np.where(proven, events.pay, prices.pay.low)
    p_token = bounds.at_token(bounds.p)
    slack = ABSOLUTE * events.weights.sum(axis=1, keepdims=True)
    best = bounds.without.max(axis=1)
    holds = np.ones_like(pay, bool)
    last_p, last_pay = np.full_like(pay, -np.inf), np.full_like(pay, -np.inf)
    for factor in FACTORS:
        bid = factor * events.weights
        p, without, at_token, most = _reallocate(bounds, bid)
        paid = best - without
        up = factor > 1
        ordered = (p >= p_token - slack) & (paid >= pay * (1 - RELATIVE) - slack)
        below = (p <= p_token + slack) & (paid <= pay * (1 + RELATIVE) + slack)
        holds &= ordered if up else below
        holds &= (p >= last_p - slack) & (paid >= last_pay - slack)
        holds &= _steps(events, proven, bid, at_token, most)
        last_p, last_pay = p, paid
    exempt = events.sampled | events.policy | ~bounds.inside
    return np.asarray((holds | (events.weights == 0))[:, 1:].all(axis=1) | exempt)


def _reallocate(bounds: Bounds, bid: F64) -> tuple[F64, F64, F64, F64]:
    """[n, R] each, row i bidding `bid` alone: P_i and B_-i of the winner, N(t), max N."""
    blend = bounds.without + bid[:, None, :] * bounds.p
    winner = blend.argmax(axis=1)[:, None, :]
    p = np.take_along_axis(bounds.p, winner, axis=1)[:, 0]
    without = np.take_along_axis(bounds.without, winner, axis=1)[:, 0]
    return p, without, bounds.at_token(blend), blend.max(axis=1)


def _steps(events: Events, proven: Bool, bid: F64, at_token: F64, most: F64) -> Bool:
    """The token wins from its critical bid to the bid and loses below, where that is proven."""
    slack = ABSOLUTE * events.weights.sum(axis=1, keepdims=True) + RELATIVE * events.critical_bid
    wins = at_token >= most * (1 - NORMALISER_REL)
    over = (bid > events.critical_bid + slack) & (bid <= events.weights)
    under = bid < events.critical_bid - slack
    loses = at_token < most
    return np.asarray(~proven | ((~over | wins) & (~under | loses)))
