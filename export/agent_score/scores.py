# SPDX-License-Identifier: Apache-2.0
"""Figures of a classifier's answers: AUC with its interval, calibration, precision at a prior.

Samples are weighted so that agents are a share `prior` of them: precision and calibration depend on
it, and half of our sessions are agents' only because we made them so.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.stats import mannwhitneyu, rankdata

from bls.phantom.kernels import F64
from export.agent_score.sessions import Flags, Ints

BINS = 10
PRECISION = 0.95


class Interval(NamedTuple):
    """A figure with its 95 % interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} ({self.low:.3f} .. {self.high:.3f})"


class Detection(NamedTuple):
    """What is found at a threshold: precision and recall at the prior."""

    threshold: float
    precision: float
    recall: float


class Promised(NamedTuple):
    """What thresholds keep of their promise, on sessions that they were not chosen on.

    Attributes:
        threshold: the median of the folds'.
        precision: that was reached; not a number where nothing was flagged. Its interval is a
            bootstrap over sessions, the thresholds as they are.
    """

    threshold: float
    precision: Interval
    recall: float


def auc(agent: Flags, score: F64) -> float:
    """Chance that an agent's score is above a person-like one's; ties count half."""
    positive = int(agent.sum())
    ranks = rankdata(score)[agent].sum()
    return float((ranks - positive * (positive + 1) / 2) / (positive * (len(agent) - positive)))


def auc_interval(agent: Flags, score: F64, draws: int = 1000, seed: int = 0) -> Interval:
    """AUC with a bootstrap interval; sessions of each class are drawn apart."""
    rng = np.random.default_rng(seed)
    order = np.argsort(score, kind="stable")
    levels = np.flatnonzero(np.append(True, np.diff(score[order]) > 0))  # ties stand together
    sides = []
    for side in (agent[order], ~agent[order]):
        drawn = np.zeros((draws, len(score)))
        count = int(side.sum())
        drawn[:, side] = rng.multinomial(count, np.full(count, 1 / count), draws)
        sides.append(np.add.reduceat(drawn, levels, axis=1) / count)
    yes, no = sides
    found = (yes * (np.cumsum(no, axis=1) - no / 2)).sum(axis=1)
    low, high = np.percentile(found, [2.5, 97.5])
    return Interval(auc(agent, score), float(low), float(high))


def at_prior(agent: Flags, prior: float) -> F64:
    """Weights [n] that make agents a share `prior`, together 1."""
    share: F64 = np.where(agent, prior / agent.sum(), (1 - prior) / (~agent).sum())
    return share


def reliability(agent: Flags, score: F64, prior: float) -> list[tuple[float, float, float, int]]:
    """(mean score, share of agents at the prior, weight, sessions) of each bin that has any.

    What is outside [0, 1] is in the bin at that end.
    """
    weight = at_prior(agent, prior)
    number = np.clip((score * BINS).astype(int), 0, BINS - 1)
    rows = []
    for at in range(BINS):
        own = number == at
        if own.any():
            total = float(weight[own].sum())
            mean = float(weight[own] @ score[own]) / total
            rows.append((mean, float(weight[own] @ agent[own]) / total, total, int(own.sum())))
    return rows


def ece(agent: Flags, score: F64, prior: float) -> float:
    """Expected calibration error over ten equal bins."""
    return sum(abs(mean - seen) * part for mean, seen, part, _ in reliability(agent, score, prior))


def brier(agent: Flags, score: F64, prior: float) -> float:
    return float(at_prior(agent, prior) @ (score - agent) ** 2)


def detected(agent: Flags, score: F64, prior: float, threshold: float) -> Detection:
    """Precision and recall of `score >= threshold`; precision 1 where nothing is flagged."""
    flagged = score >= threshold
    weight = at_prior(agent, prior)
    total = float(weight[flagged].sum())
    precision = float(weight[flagged & agent].sum()) / total if total else 1.0
    return Detection(threshold, precision, float(flagged[agent].mean()))


def most_recall(agent: Flags, score: F64, prior: float, least: float = PRECISION) -> Detection:
    """The threshold with the most recall among those with at least that precision: both are too
    high for other sessions (`promised`)."""
    order = np.argsort(-score, kind="stable")
    weight = at_prior(agent, prior)[order]
    found = np.cumsum(weight * agent[order])
    precision = found / np.cumsum(weight)
    last = np.append(score[order][1:] < score[order][:-1], True)  # ties are flagged together
    usable = np.flatnonzero((precision >= least) & last)
    if not len(usable):
        return Detection(np.inf, 1.0, 0.0)
    best = usable[-1]
    recall = float(agent[order][: best + 1].sum() / agent.sum())
    return Detection(float(score[order][best]), float(precision[best]), recall)


def promised(
    agent: Flags, score: F64, fold: Ints, prior: float, least: float = PRECISION
) -> Promised:
    """Every fold flagged at the threshold that has that precision on the others."""
    flagged = np.zeros(len(agent), bool)
    thresholds = []
    for at in np.unique(fold):
        rest = fold != at
        chosen = most_recall(agent[rest], score[rest], prior, least).threshold
        flagged[~rest] = score[~rest] >= chosen
        thresholds.append(chosen)
    precision = precision_interval(agent, flagged, prior)
    return Promised(float(np.median(thresholds)), precision, float(flagged[agent].mean()))


def precision_interval(
    agent: Flags, flagged: Flags, prior: float, draws: int = 1000, seed: int = 0
) -> Interval:
    """Precision at the prior, with a bootstrap interval; sessions of each class are drawn apart."""
    if not flagged.any():
        return Interval(np.nan, np.nan, np.nan)
    rng = np.random.default_rng(seed)
    right, wrong = (
        share * np.append(flagged[side].mean(), rng.binomial(n, flagged[side].mean(), draws) / n)
        for side, share in ((agent, prior), (~agent, 1 - prior))
        for n in [int(side.sum())]
    )
    some = right + wrong > 0
    found = right[some] / (right + wrong)[some]
    low, high = np.percentile(found[1:], [2.5, 97.5])
    return Interval(float(found[0]), float(low), float(high))


def rank_test(agent: Flags, score: F64) -> float:
    """Two-sided p of Mann-Whitney's U: the published test of the gap."""
    return float(mannwhitneyu(score[agent], score[~agent]).pvalue)
