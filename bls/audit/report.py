# SPDX-License-Identifier: Apache-2.0
"""The figures of an incentive audit, from what the single audits collected."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from bls.audit.bootstrap import Estimate, means, ratios
from bls.audit.options import AuditOptions
from bls.audit.replies import ReplyGame
from bls.audit.sampling import SamplingFigures
from bls.audit.tokens import TOLERANCE, TokenFigures


@dataclass(frozen=True)
class Gains:
    """What misreporting gains over the truth.

    Attributes:
        most: the largest gain seen, 0 if none, weight units.
        violations: how many of `entries` gains exceed the tolerance.
    """

    entries: int
    violations: int
    most: float

    @classmethod
    def of(cls, gains: Any) -> Gains:
        values = np.asarray(gains, np.float64).ravel()
        return cls(len(values), int((values > TOLERANCE).sum()), float(values.max(initial=0.0)))


@dataclass(frozen=True)
class ArgmaxReport:
    """Per token, argmax; `by_factor` is the mean gain relative to the truthful utility.

    Attributes:
        pairs: (token, advertiser) pairs seen; `paying`: share of them that pay.
        irrational: pairs that pay more than their value.
    """

    tolerance: float
    bid: Gains
    by_factor: list[Estimate]
    distribution: dict[str, Gains]
    pairs: int
    paying: float
    myerson_difference: float
    irrational: int
    least_utility: float


@dataclass(frozen=True)
class SamplingReport:
    """Per token, sampling; gains are expected and relative to the truthful utility.

    Attributes:
        best_factor: mean over tokens of the factor that maximises expected utility.
        best_gain: gain of an advertiser that knows that factor for every token.
        rational: share of (token, advertiser) with a truthful expected utility of 0 or more.
        drawn_over_expected: mean payment of the kernel's draws over the closed form's.
        above_value: share of draws that charge an advertiser more than v_i P_i(t).
    """

    by_factor: list[Estimate]
    best_factor: Estimate
    best_gain: Estimate
    rational: float
    drawn_over_expected: Estimate
    above_value: float


@dataclass(frozen=True)
class ReplyReport:
    """Whole replies, argmax.

    Attributes:
        by_factor: gain of one constant factor in all replies, relative to truthful utility.
        changed: share of variants whose tokens differ from the truthful reply's, by factor.
        best: place of the factor with the largest mean gain; chosen on the same replies.
        hindsight: per (reply, advertiser), gain of the best factor for that reply alone, known
            only afterwards, relative to its truthful utility.
    """

    by_factor: list[Estimate]
    changed: list[float]
    best: int
    hindsight: list[float]
    games: list[ReplyGame]


@dataclass(frozen=True)
class IncentiveReport:
    """Everything `skynet audit` found."""

    model: str
    options: AuditOptions
    tokens: int
    seconds: float
    argmax: ArgmaxReport
    sampling: SamplingReport
    replies: ReplyReport

    @property
    def ok(self) -> bool:
        """What must hold exactly, holds: per-token truthfulness, Myerson, rationality (argmax)."""
        argmax = self.argmax
        gains = [argmax.bid, *argmax.distribution.values()]
        exact = argmax.myerson_difference <= TOLERANCE and not argmax.irrational
        return exact and not any(gain.violations for gain in gains)

    def as_json(self) -> dict[str, Any]:
        plain = {"ok": self.ok, **asdict(self)}
        plain["replies"]["games"] = [
            {
                "chat": game.name,
                "advertisers": game.advertisers,
                "bids": game.bids,
                **{
                    name: getattr(game, name).tolist()
                    for name in ("utility", "pay", "tokens", "changed")
                },
            }
            for game in self.replies.games
        ]
        return plain


def argmax_report(figures: TokenFigures, options: AuditOptions) -> ArgmaxReport:
    gains = np.array(figures.bid_gains)
    utility = np.array(figures.utility)
    return ArgmaxReport(
        tolerance=TOLERANCE,
        bid=Gains.of(np.delete(gains, options.truth, axis=1)),
        by_factor=ratios(figures.replies, gains, utility, options.seed),
        distribution={name: Gains.of(g) for name, g in figures.report_gains.items()},
        pairs=len(gains),
        paying=float((np.array(figures.pay) > 0).mean()),
        myerson_difference=float(np.abs(figures.clarke_less_myerson).max()),
        irrational=int((utility < -TOLERANCE).sum()),
        least_utility=float(utility.min()),
    )


def sampling_report(figures: SamplingFigures, options: AuditOptions) -> SamplingReport:
    utility = np.array(figures.utility)
    best_gain = np.array(figures.best_gain)[:, None]
    replies, seed = figures.replies, options.seed
    pays = np.array(figures.drawn_pay)[:, None]
    return SamplingReport(
        by_factor=ratios(replies, np.array(figures.gains), utility, seed),
        best_factor=means(replies, np.array(figures.best_factor), seed),
        best_gain=ratios(replies, best_gain, utility, seed)[0],
        rational=float((utility >= 0).mean()),
        drawn_over_expected=ratios(replies, pays, np.array(figures.expected_pay), seed)[0],
        above_value=float(np.mean(figures.above_value)),
    )


def reply_report(games: list[ReplyGame], options: AuditOptions) -> ReplyReport:
    utility = np.concatenate([game.utility for game in games])
    replies = np.repeat(range(len(games)), [len(game.advertisers) for game in games]).tolist()
    truthful = utility[:, options.truth]
    gains = utility - truthful[:, None]
    by_factor = ratios(replies, gains, truthful, options.seed)
    hindsight = gains.max(axis=1) / truthful
    return ReplyReport(
        by_factor=by_factor,
        changed=np.concatenate([game.changed for game in games]).mean(axis=0).tolist(),
        best=int(np.argmax([estimate.value for estimate in by_factor])),
        hindsight=hindsight.tolist(),
        games=games,
    )
