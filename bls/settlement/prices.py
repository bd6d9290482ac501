# SPDX-License-Identifier: Apache-2.0
"""Every charge again from a record alone, in float64: an interval, a point where it is proven.

    Clarke          max_x B_-i(x) - B_-i(t)
    critical bid    max over x with P_i(x) < P_i(t) of (B_-i(x) - B_-i(t)) / (P_i(t) - P_i(x))
    a draw          max(0, 1 - q_-i(t) / q(t)) K (s + b) / b      (arXiv 2310.10826, closed form)

Maxima over the union are lower bounds; `Bounds.tail` bounds what tokens outside could add. The
draw's payment needs the P_k(t) only: where t is in no row's best tokens, they are as logged, and
the record then bounds them from above but does not prove them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bls.settlement.bounds import TIE_REL, Bounds, Verdict
from bls.settlement.events import F64, Bool, Events

RELATIVE = 1e-4
"""The settlement's tolerance: 0.01 %."""
ABSOLUTE = 1e-6
"""And this much, times the sum of the weights: a thousand times the kernel's measured error."""


@dataclass(frozen=True)
class Interval:
    """[n, R] bounds on one price of every row, weight units; row 0 is 0."""

    low: F64
    high: F64
    exact: Bool
    """[n] False where the bounds rest on a logged figure that the record does not prove."""

    def settle(self, logged: F64) -> F64:
        """The price to charge: recomputed where proven, else the logged one within the bounds."""
        return np.clip(logged, self.low, self.high)

    def verdicts(self, logged: F64, weights: F64) -> NDArray[np.int64]:
        """[n, R] verdicts on logged prices."""
        slack = ABSOLUTE * weights.sum(axis=1, keepdims=True) + RELATIVE * self.high
        refuted = ~((logged >= self.low - slack) & (logged <= self.high + slack))
        proven = self.exact[:, None] & (self.high - self.low <= slack)
        verdict = np.where(proven, Verdict.PROVEN, Verdict.UNDECIDED)
        return np.where(refuted, Verdict.REFUTED, verdict)


@dataclass(frozen=True)
class Prices:
    """Both prices of every row, and what its reply's rule makes of them."""

    pay: Interval
    critical_bid: Interval
    charge: Interval

    @classmethod
    def of(cls, events: Events, bounds: Bounds) -> Prices:
        pay, bid = clarke(events, bounds), critical_bids(events, bounds)
        drawn = stable_sampling(events, bounds)
        free = events.policy[:, None]
        pay = _pick(events.sampled, drawn, pay)
        nothing = np.zeros_like(events.pay)
        none = Interval(nothing, nothing, np.ones(len(events), bool))
        pay = _pick(events.policy, none, pay)
        bid = _pick(events.policy | events.sampled, none, bid)
        p = np.where(free, 0.0, _p_token(events, bounds))
        by_bid = Interval(bid.low * p, bid.high * p, bid.exact)
        return cls(pay, bid, _pick(events.by_critical_bid, by_bid, pay))


def clarke(events: Events, bounds: Bounds) -> Interval:
    """Bounds on every row's externality; where t is outside the union, only w_i P_i(t)."""
    at, best, outside = _without(events, bounds)
    ceiling = events.weights * np.where(
        bounds.inside[:, None], bounds.at_token(bounds.p), bounds.tail
    )
    low = np.where(bounds.inside[:, None], best - at, 0.0)
    high = np.where(bounds.inside[:, None], np.maximum(best, outside) - at, ceiling)
    return _payers_only(np.clip(low, 0, ceiling), np.clip(high, 0, ceiling))


def critical_bids(events: Events, bounds: Bounds) -> Interval:
    """Bounds on every row's threshold, at most its weight: it won with that."""
    at, best, outside = _without(events, bounds)
    p_token = bounds.at_token(bounds.p)
    spread = p_token[:, None, :] - bounds.p
    lead = bounds.without - at[:, None, :]
    binding = (spread > 0) & (lead > 0)
    found = np.where(binding, lead / np.where(binding, spread, 1.0), 0.0).max(axis=1)
    gap = p_token - bounds.tail
    beyond = np.where(gap > 0, (outside - at) / np.where(gap > 0, gap, 1.0), np.inf)
    beyond = np.where(outside > at, beyond, 0.0)
    pays = best - at > TIE_REL * best
    low = np.where(pays & bounds.inside[:, None], np.minimum(found, events.weights), 0.0)
    high = np.where(bounds.inside[:, None], np.maximum(found, beyond), np.inf)
    return _payers_only(low, np.maximum(low, np.minimum(high, events.weights)))


def stable_sampling(events: Events, bounds: Bounds) -> Interval:
    """Exact given the P_k(t): from the union where t is in it, else as logged."""
    p = _p_token(events, bounds)
    weights = events.weights
    total = weights.sum(axis=1, keepdims=True)
    blend = (weights * p).sum(axis=1, keepdims=True)
    others = total - weights
    paying = (weights > 0) & (others > 0) & (blend > 0)
    s, b = np.where(paying, others, 1.0), np.where(paying, weights, 1.0)
    q = np.where(blend > 0, blend, 1.0) / np.where(total > 0, total, 1.0)
    q_without = (blend - weights * p) / s
    k = s * np.log1p(b / s) - s * b / (s + b)
    pay = np.where(paying, np.maximum(0.0, 1 - q_without / q) * k * (s + b) / b, 0.0)
    interval = _payers_only(pay, pay)
    return Interval(interval.low, interval.high, bounds.inside)


def p_token_verdicts(events: Events, bounds: Bounds) -> NDArray[np.int64]:
    """[n] verdicts on the logged P_k(t): as on the union, or at most the tail outside it."""
    known = bounds.at_token(bounds.p)
    inside = np.abs(events.p_token - known) <= ABSOLUTE + RELATIVE * known
    outside = (events.p_token >= 0) & (events.p_token <= bounds.tail + ABSOLUTE)
    holds = np.where(bounds.inside[:, None], inside, outside) | ~events.live
    verdict = np.where(bounds.inside, Verdict.PROVEN, Verdict.UNDECIDED)
    return np.where(holds.all(axis=1), verdict, Verdict.REFUTED)


def _p_token(events: Events, bounds: Bounds) -> F64:
    return np.where(bounds.inside[:, None], bounds.at_token(bounds.p), events.p_token)


def _without(events: Events, bounds: Bounds) -> tuple[F64, F64, F64]:
    """[n, R] each: B_-i(t), max over the union of B_-i, bound on B_-i outside it."""
    reach = events.weights * bounds.tail
    outside = reach.sum(axis=1, keepdims=True) - reach
    return bounds.at_token(bounds.without), bounds.without.max(axis=1), outside


def _payers_only(low: F64, high: F64) -> Interval:
    """Row 0 is the reference: it never pays."""
    low[:, 0] = high[:, 0] = 0.0
    return Interval(low, high, np.ones(len(low), bool))


def _pick(first: Bool, one: Interval, other: Interval) -> Interval:
    """`one` where `first`, else `other`."""
    rows = first[:, None]
    return Interval(
        np.where(rows, one.low, other.low),
        np.where(rows, one.high, other.high),
        np.where(first, one.exact, other.exact),
    )
