# SPDX-License-Identifier: Apache-2.0
"""Campaigns and models at shares of agents, with and without the bridge, on paired seeds.

A conversation is with people or with agents of one kind, the latter with probability alpha; as
everywhere in the market simulator it stands for `readers.READERS` of its kind. People react as
`readers` says. Agents click what they are shown with probability `eager` and buy nothing, so their
clicks are in the data and their value is 0. Every arm of a seed sees the same conversations,
competition, scores and clicks. Rivals of the campaign do not react to the bridge; for the forecast
they do, and bid in proportion to the discount, which moves once in every reply: as the session goes
on, its score does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import polars as pl

from bls.brain.features import W_FLOOR
from bls.contracts import AD_TOKENS
from bls.phantom.bridge import DIALS, Dials
from export.bid_predictor.network import TTTiny
from export.tve.data import Samples
from export.tve.model import DualTower
from pipelines_dagster.defs.datasets import validity
from pipelines_dagster.defs.market import readers
from pipelines_dagster.defs.market.ab.models import OnnxForecast, believe
from pipelines_dagster.defs.market.ab.play import Setting
from pipelines_dagster.defs.market.ab.trial import Trial, draw_trial
from pipelines_dagster.defs.market.feedback import delivered_lengths
from pipelines_dagster.defs.market.traits import F64, I64, Bool
from pipelines_dagster.phantom.bridge.learn import Learner, forecast_error, windows
from pipelines_dagster.phantom.bridge.play import ARMS, Curves, Traffic, campaign
from pipelines_dagster.phantom.bridge.scores import Roc, Scores

ALPHAS = (0.0, 0.2, 0.4, 0.6, 0.8)
_TRAIN, _TEST = 100_000, 200_000
"""Added to a seed: the worlds that models learn from, and those they are judged in."""


@dataclass(frozen=True)
class Plan:
    """What is played.

    Attributes:
        scores: where f comes from; the whole experiment is played with each.
        conversations: per seed, of the campaign and of the data its models are made from.
        eager: probability that an agent clicks an ad it is shown.
    """

    scores: tuple[Scores, ...] = (Roc(),)
    alphas: tuple[float, ...] = ALPHAS
    seeds: int = 5
    conversations: int = 250
    regime: str = "stationary"
    eager: float = 1.0
    dials: Dials = DIALS
    setting: Setting = field(default_factory=Setting)


@dataclass(frozen=True)
class Figure:
    """One arm with one kind of scores at one share of agents and one seed.

    Attributes:
        tve, forecast: RMSE of the value model, and of the forecast, on people.
        shipped: the value model's before it was trained further.
    """

    scores: str
    alpha: float
    arm: str
    seed: int
    roi: float
    value: float
    paid: float
    refunded: float
    tve: float
    forecast: float
    shipped: float


def play(
    plan: Plan, learner: Learner, progress: Callable[[int], object] = lambda done: None
) -> list[Figure]:
    """Every arm of every seed; `progress` is told of each alpha of a seed."""
    made: list[Figure] = []
    for seed in range(plan.seeds):
        worlds = _Worlds.of(seed, plan, learner)
        for alpha in plan.alphas:
            made += worlds.figures(alpha)
            progress(1)
    return made


@dataclass(frozen=True)
class _Learnt:
    """What a value model believes of the campaign's conversations, and its error."""

    curves: Curves
    error: float


@dataclass(frozen=True)
class _Worlds:
    """What does not depend on alpha: three trials of a seed, and a predictor without the bridge."""

    seed: int
    plan: Plan
    learner: Learner
    live: Trial
    train: Trial
    test: Trial
    plain: TTTiny

    @classmethod
    def of(cls, seed: int, plan: Plan, learner: Learner) -> _Worlds:
        live, train, test = (
            draw_trial(plan.regime, plan.conversations, seed + offset)
            for offset in (0, _TRAIN, _TEST)
        )
        live = believe(live, OnnxForecast(learner.predictor))
        plain = learner.fit_bids(windows(train, train.log_w), seed)
        return cls(seed, plan, learner, live, train, test, plain)

    def figures(self, alpha: float) -> list[Figure]:
        """Of every arm. The same numbers are drawn at every alpha, so shares are nested."""
        streams = [np.random.default_rng(s) for s in np.random.SeedSequence([self.seed]).spawn(4)]
        agents = [
            rng.random(len(trial)) < alpha
            for trial, rng in zip((self.live, self.train, self.test), streams, strict=False)
        ]
        k, clicks = _showings(self.train, agents[1], self.plan.eager, streams[3])
        shown = self.learner.samples(self.train, k, clicks)
        blind, shipped = self._learnt(shown), self._tve_error(self.learner.tve)
        made = []
        for scores in self.plan.scores:
            rng = np.random.default_rng([self.seed, 1])
            live, past, test = (self._traffic(scores, agent, rng) for agent in agents)
            models = {False: blind, True: self._learnt(_learned(shown, past, self.train))}
            errors = {on: self._forecast_error(past, test, on) for on in (False, True)}
            for arm in ARMS:
                model = models[arm.filters]
                done = campaign(self.live, model.curves, live, arm, self.plan.setting)
                money = done.roi, done.value, done.paid, done.refunded
                told = model.error, errors[arm.discounts], shipped
                made.append(Figure(scores.name, alpha, arm.name, self.seed, *money, *told))
        return made

    def _traffic(self, scores: Scores, agent: Bool, rng: np.random.Generator) -> Traffic:
        before, now = scores.draw(agent, rng)
        dials = self.plan.dials
        first, last = (np.array([dials.discount(float(f)) for f in part]) for part in (before, now))
        return Traffic(agent, now, last, now >= dials.invalid_at, first, rng.random(len(agent)))

    def _learnt(self, samples: Samples) -> _Learnt:
        model = self.learner.fit_value(samples, self.seed)
        return _Learnt(self.learner.curves(model, self.live, 1), self._tve_error(model))

    def _tve_error(self, model: DualTower) -> float:
        """RMSE of V(k) on people of a world of its own, at every third token of every ad."""
        parts = zip(("v_max", "a", "k_0"), self.learner.curves(model, self.test), strict=True)
        said, curve = replace(self.test.curve, **dict(parts)), self.test.curve
        squares, count = 0.0, 0
        for k in range(1, AD_TOKENS, 3):
            inside = self.test.tokens >= k
            at = np.full(self.test.ad.shape, k)
            gap = (said.value(at) - curve.value(at))[inside]
            squares, count = squares + float(gap @ gap), count + int(inside.sum())
        return float(np.sqrt(squares / count))

    def _forecast_error(self, past: Traffic, test: Traffic, discounts: bool) -> float:
        """RMSE on the replies to people, made from replies to everybody."""
        network, seen = self.plain, self.test.log_w
        if discounts:
            moved = windows(self.train, _moved(self.train, past))
            network, seen = self.learner.fit_bids(moved, self.seed), _moved(self.test, test)
        judged = windows(self.test, seen)
        return forecast_error(network, judged.take(~test.agent[judged.conversation]))


def _showings(trial: Trial, agent: Bool, eager: float, rng: np.random.Generator) -> tuple[I64, F64]:
    """Of every candidate of every conversation the tokens that were shown, and its bucket's
    clicks."""
    curve = readers.Curve(**{name: v.ravel() for name, v in vars(trial.curve).items()})
    k = delivered_lengths(trial.tokens.ravel().astype(np.int64), rng)
    people = np.minimum(rng.poisson(readers.rate_of(curve.value(k))), readers.READERS)
    agents = rng.binomial(readers.READERS, eager, len(k))
    rows = np.repeat(agent, trial.ad.shape[1])
    return k, np.where(rows, agents, people).astype(np.float64)


def _learned(shown: Samples, traffic: Traffic, trial: Trial) -> Samples:
    """What the training data's own rule leaves of showings, repeated to as many as there were: a
    model that learns from fewer would also have been moved by fewer steps."""
    marks = {validity.SCORE: traffic.score, validity.INVALID: traffic.invalid}
    rows = pl.DataFrame(marks).with_row_index("reply").lazy()
    kept = validity.learned(rows).collect()["reply"].to_numpy()
    replies = np.isin(np.arange(len(trial)), kept)
    left = np.flatnonzero(np.repeat(replies, trial.ad.shape[1]))
    return shown.take(np.resize(left, len(shown)) if len(left) else left)


def _moved(trial: Trial, traffic: Traffic) -> F64:
    """log W_-i [n, LONGEST + 1] of rivals that bid in proportion to the discount of the moment."""
    token = np.arange(trial.log_w.shape[1])
    new = token > (traffic.moves * trial.lengths)[:, None]
    discount = np.where(new, traffic.discount[:, None], traffic.discount_before[:, None])
    floored: F64 = np.maximum(trial.log_w + np.log(np.maximum(discount, W_FLOOR)), np.log(W_FLOOR))
    return floored


def select(figures: Sequence[Figure], alpha: float, arm: str, name: str) -> F64:
    """[seeds] a figure of an arm, in the order of the seeds."""
    found = sorted((f for f in figures if f.alpha == alpha and f.arm == arm), key=lambda f: f.seed)
    return np.array([float(getattr(one, name)) for one in found])


def of_scores(figures: Sequence[Figure], scores: Scores) -> list[Figure]:
    """Those that were played with one kind of scores."""
    return [figure for figure in figures if figure.scores == scores.name]
