# SPDX-License-Identifier: Apache-2.0
"""One token in sampling mode: the expected utility of every bid, exactly, and the draws' mean.

With s the others' weights, b the bid, q_-i the blend without i, and the stable-sampling payment
(arXiv 2310.10826), the expectation over the draw is

    U(b) = v sum_x q(x) P_i(x) - TV(P_i, q_-i) K(b),    K(b) = s ln(1 + b/s) - s b / (s + b)
    U'(b) = s / (s + b)^2 (v (D - A) - b TV),           D = sum P_i^2, A = sum P_i q_-i

so the best bid is v rho, rho = max(0, D - A) / TV. As D - A <= TV max P_i <= TV, rho <= 1: the
payment is truthful for the preferences of that paper, but under "a token is worth v P_i(x)" an
advertiser gains by bidding less than its value. How much is what is measured.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from bls.audit.options import AuditOptions
from bls.audit.replies import F64, Situation
from kernels_cuda.auction import Auction, Draw


@dataclass
class SamplingFigures:
    """Per (token, advertiser), in order; expectations over the draw, weight units.

    Attributes:
        gains: [entries, factors] expected utility under each factor less the truthful one.
        best_factor: rho; best_gain: what it gains over the truth.
        drawn_pay, expected_pay: mean over the kernel's draws, and the closed form.
        above_value: share of draws charged more than v_i P_i(t).
    """

    replies: list[int] = field(default_factory=list)
    utility: list[float] = field(default_factory=list)
    gains: list[F64] = field(default_factory=list)
    best_factor: list[float] = field(default_factory=list)
    best_gain: list[float] = field(default_factory=list)
    drawn_pay: list[float] = field(default_factory=list)
    expected_pay: list[float] = field(default_factory=list)
    above_value: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Terms:
    """What U(b) depends on, for one token and advertiser."""

    value: float
    others: float
    own: float
    """D = sum P_i^2"""
    shared: float
    """A = sum P_i q_-i"""
    distance: float
    """TV(P_i, q_-i)"""

    @classmethod
    def of(cls, situation: Situation, p: F64, row: int) -> Terms:
        weights = situation.weights.astype(np.float64)
        rest = np.delete(weights, row)
        without = rest @ np.delete(p, row, axis=0) / rest.sum()
        return cls(
            value=float(weights[row]),
            others=float(rest.sum()),
            own=float(p[row] @ p[row]),
            shared=float(p[row] @ without),
            distance=float(np.abs(p[row] - without).sum() / 2),
        )

    def payment(self, bid: F64) -> F64:
        """Expected payment TV K(b)."""
        s = self.others
        return np.asarray(self.distance * (s * np.log1p(bid / s) - s * bid / (s + bid)))

    def utility(self, bid: F64) -> F64:
        """U(b), expected."""
        allocation = (self.others * self.shared + bid * self.own) / (self.others + bid)
        return np.asarray(self.value * allocation - self.payment(bid))

    @property
    def best_factor(self) -> float:
        """rho: the factor that maximises U."""
        return max(0.0, self.own - self.shared) / self.distance if self.distance else 1.0


class SamplingAudit:
    """Adds up what every situation shows."""

    def __init__(self, options: AuditOptions, auction: Auction) -> None:
        self._options = options
        self._auction = auction
        self.figures = SamplingFigures()

    def add(self, situation: Situation, p: F64) -> None:
        """All advertisers of one token."""
        pays, tokens = self._draws(situation)
        for row in range(1, len(situation.weights)):
            terms = Terms.of(situation, p, row)
            bids = terms.value * np.array([*self._options.factors, terms.best_factor])
            utility = terms.utility(bids)
            truthful = float(utility[self._options.truth])
            figures = self.figures
            figures.replies.append(situation.reply)
            figures.utility.append(truthful)
            figures.gains.append(utility[:-1] - truthful)
            figures.best_factor.append(terms.best_factor)
            figures.best_gain.append(float(utility[-1]) - truthful)
            figures.expected_pay.append(float(terms.payment(np.array(terms.value))))
            figures.drawn_pay.append(float(pays[:, row].mean()))
            above = pays[:, row] > terms.value * p[row, tokens]
            figures.above_value.append(float(above.mean()))

    def _draws(self, situation: Situation) -> tuple[F64, F64]:
        """Payments [draws, R] and tokens [draws] of the kernel's draws of this token."""
        pays, tokens = [], []
        for number in range(self._options.draws):
            draw = Draw(self._options.seed, situation.reply, situation.index + 1_000 * number)
            got = self._auction.run(
                situation.logits, situation.weights, situation.temperature, draw=draw
            )
            pays.append(got.pay)
            tokens.append(got.token)
        return np.array(pays), np.array(tokens, np.int64)
