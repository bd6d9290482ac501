# SPDX-License-Identifier: Apache-2.0
"""One token at a time: nobody gains by misreporting, nobody pays too much (argmax mode).

With the others' reports fixed, the auction picks the x that maximises the sum of reported values
and charges the externality, so advertiser i's utility v_i P_i(t) - pay_i is largest when its report
(bid and distribution) is true: Vickrey-Clarke-Groves. Here that is measured on the compiled float64
kernel; `TOLERANCE` is float noise.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from bls.audit.options import AuditOptions
from bls.audit.replies import F64, Situation
from kernels_cuda.auction import Auction, Outcome

TOLERANCE = 1e-9
"""Weight units; blends are sums of a few doubles of order 1."""


def probabilities(situation: Situation) -> F64:
    """P_k(x) [R, V] in float64."""
    z = situation.logits.astype(np.float64) / np.float64(np.float32(situation.temperature))
    p = np.exp(z - z.max(axis=1, keepdims=True))
    return np.asarray(p / p.sum(axis=1, keepdims=True))


@dataclass
class TokenFigures:
    """Per (token, advertiser), in order, in weight units.

    Attributes:
        replies: which reply each entry is of, for resampling.
        utility: v_i P_i(t) - pay_i at the truth; below 0 would be irrational.
        bid_gains: [entries, factors] utility under each factor less the truthful one.
        report_gains: name of a misreport of the distribution -> utility less the truthful one.
        clarke_less_myerson: the kernel's payment less the integral of the allocation.
    """

    replies: list[int] = field(default_factory=list)
    utility: list[float] = field(default_factory=list)
    bid_gains: list[F64] = field(default_factory=list)
    report_gains: dict[str, list[float]] = field(default_factory=dict)
    clarke_less_myerson: list[float] = field(default_factory=list)
    pay: list[float] = field(default_factory=list)


class TokenAudit:
    """Adds up what every situation shows. `auction` should be the scalar float64 path."""

    def __init__(self, options: AuditOptions, auction: Auction) -> None:
        self._options = options
        self._auction = auction
        self._rng = np.random.default_rng(options.seed)
        self.figures = TokenFigures()

    def add(self, situation: Situation, p: F64) -> None:
        """All advertisers of one token; `p` as `probabilities` gives it."""
        truth = self._run(situation, situation.logits, situation.weights)
        for row in range(1, len(situation.weights)):
            value = float(situation.weights[row])
            utility = value * float(p[row, truth.token]) - float(truth.pay[row])
            figures = self.figures
            figures.replies.append(situation.reply)
            figures.utility.append(utility)
            figures.pay.append(float(truth.pay[row]))
            figures.bid_gains.append(self._bids(situation, p, row) - utility)
            for name, got in self._reports(situation, row):
                gained = value * float(p[row, got.token]) - float(got.pay[row])
                figures.report_gains.setdefault(name, []).append(gained - utility)
            integral = myerson(situation, p, row)
            figures.clarke_less_myerson.append(float(truth.pay[row]) - integral)

    def _run(
        self, situation: Situation, logits: NDArray[np.float32], weights: NDArray[np.float32]
    ) -> Outcome:
        return self._auction.run(logits, weights, situation.temperature)

    def _bids(self, situation: Situation, p: F64, row: int) -> F64:
        """Utility under every factor."""
        value = float(situation.weights[row])
        utilities = []
        for factor in self._options.factors:
            weights = situation.weights.copy()
            weights[row] *= np.float32(factor)
            got = self._run(situation, situation.logits, weights)
            utilities.append(value * float(p[row, got.token]) - float(got.pay[row]))
        return np.array(utilities)

    def _reports(self, situation: Situation, row: int) -> Iterator[tuple[str, Outcome]]:
        """Outcomes when the row reports another distribution than its own."""
        for name, reported in misreports(situation.logits[row], self._rng):
            logits = situation.logits.copy()
            logits[row] = reported
            yield name, self._run(situation, logits, situation.weights)


def misreports(
    logits: NDArray[np.float32], rng: np.random.Generator
) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """Names and reported logits [V] instead of the true ones."""
    yield "sharpened", logits * 2
    yield "flattened", logits * np.float32(0.5)
    only = np.full_like(logits, -np.inf)
    only[logits.argmax()] = 0
    yield "point mass", only
    yield "noise", logits + rng.normal(size=len(logits)).astype(np.float32)


def myerson(situation: Situation, p: F64, row: int) -> float:
    """w P_i(t(w)) - integral over b in [0, w] of P_i(t(b)), exactly.

    t(b) maximises the lines B_-i(x) + b P_i(x): a convex piecewise linear envelope, walked from
    break point to break point.
    """
    weights = situation.weights.astype(np.float64)
    shares = weights[:, None] * p
    without, slope = np.delete(shares, row, axis=0).sum(axis=0), p[row]
    bid, area, token = 0.0, 0.0, int(np.lexsort((-slope, -without))[0])
    while True:
        rising = np.flatnonzero(slope > slope[token])
        cross = (without[token] - without[rising]) / (slope[rising] - slope[token])
        following = int(cross.argmin()) if len(rising) else -1
        stop = min(weights[row], float(cross[following])) if len(rising) else weights[row]
        area += (stop - bid) * slope[token]
        if stop >= weights[row]:
            return float(weights[row] * slope[token] - area)
        bid, token = stop, int(rising[following])
