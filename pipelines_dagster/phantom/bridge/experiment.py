# SPDX-License-Identifier: Apache-2.0
"""Campaigns and models at shares of agents, with and without the bridge, on paired seeds.

A conversation is with people or with agents of one kind, the latter with probability alpha; as
everywhere in the market simulator it stands for `readers.READERS` of its kind. People react as
`readers` says. Agents click what they are shown with probability `eager` and buy nothing, so their
clicks are in the data and their value is 0. Every arm of a seed sees the same conversations,
competition, scores and clicks. Rivals of the campaign do not react to the bridge; for the forecast
they do, and bid in proportion to the discount.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from bls.brain.features import W_FLOOR
from bls.phantom.bridge import DIALS, LEARN_BELOW, Dials
from pipelines_dagster.defs.market import readers
from pipelines_dagster.defs.market.ab.models import believe, ewma_forecast
from pipelines_dagster.defs.market.ab.play import Setting
from pipelines_dagster.defs.market.ab.trial import Trial, draw_trial
from pipelines_dagster.defs.market.feedback import delivered_lengths
from pipelines_dagster.defs.market.traits import F64, I64, Bool
from pipelines_dagster.phantom.bridge.learn import Ads, ValueModel, fit_forecast, forecast_error
from pipelines_dagster.phantom.bridge.play import ARMS, Arm, Traffic, campaign
from pipelines_dagster.phantom.bridge.scores import Roc

ALPHAS = (0.0, 0.2, 0.4, 0.6, 0.8)
_TRAIN, _TEST = 100_000, 200_000
"""Added to a seed: the worlds that models learn from, and those they are judged in."""


@dataclass(frozen=True)
class Plan:
    """What is played.

    Attributes:
        conversations: per seed, of the campaign and of the data its models are made from.
        eager: probability that an agent clicks an ad it is shown.
    """

    roc: Roc = field(default_factory=Roc)
    alphas: tuple[float, ...] = ALPHAS
    seeds: int = 12
    conversations: int = 400
    regime: str = "stationary"
    eager: float = 1.0
    dials: Dials = DIALS
    learn_below: float = LEARN_BELOW
    setting: Setting = field(default_factory=Setting)


@dataclass(frozen=True)
class Figure:
    """One arm at one share of agents and one seed.

    Attributes:
        tve, forecast: RMSE of the value model, and of the forecast, on people.
    """

    alpha: float
    arm: str
    seed: int
    roi: float
    value: float
    paid: float
    refunded: float
    tve: float
    forecast: float


def play(plan: Plan, progress: Callable[[int], object] = lambda done: None) -> list[Figure]:
    """Every arm of every seed; `progress` is told of each alpha of a seed."""
    made: list[Figure] = []
    for seed in range(plan.seeds):
        worlds = _Worlds.of(seed, plan)
        for alpha in plan.alphas:
            made += worlds.figures(alpha)
            progress(1)
    return made


@dataclass(frozen=True)
class _Worlds:
    """What does not depend on alpha: three trials of a seed."""

    seed: int
    plan: Plan
    live: Trial
    train: Trial
    test: Trial

    @classmethod
    def of(cls, seed: int, plan: Plan) -> _Worlds:
        live, train, test = (
            draw_trial(plan.regime, plan.conversations, seed + offset)
            for offset in (0, _TRAIN, _TEST)
        )
        return cls(seed, plan, believe(live, ewma_forecast), train, test)

    def figures(self, alpha: float) -> list[Figure]:
        """Of every arm. The same numbers are drawn at every alpha, so shares are nested."""
        streams = [np.random.default_rng(s) for s in np.random.SeedSequence([self.seed]).spawn(4)]
        live, past, test = (
            self._traffic(trial, alpha, rng)
            for trial, rng in zip((self.live, self.train, self.test), streams, strict=False)
        )
        ads, k, clicks = _showings(self.train, past.agent, self.plan.eager, streams[3])
        rows = np.repeat(past.unlearned, self.train.ad.shape[1])
        models = {
            False: ValueModel.fit(ads, k, clicks),
            True: ValueModel.fit(_taken(ads, ~rows), k[~rows], clicks[~rows]),
        }
        errors = {filters: self._tve_error(model) for filters, model in models.items()}
        return [self._figure(alpha, arm, (live, past, test), models, errors) for arm in ARMS]

    def _figure(
        self,
        alpha: float,
        arm: Arm,
        traffic: tuple[Traffic, Traffic, Traffic],
        models: dict[bool, ValueModel],
        errors: dict[bool, float],
    ) -> Figure:
        live, past, test = traffic
        curves = _believed(models[arm.filters], self.live)
        done = campaign(self.live, curves, live, arm, self.plan.setting)
        forecast = _forecast_error((self.train, past), (self.test, test), arm.discounts)
        return Figure(
            alpha,
            arm.name,
            self.seed,
            done.roi,
            done.value,
            done.paid,
            done.refunded,
            errors[arm.filters],
            forecast,
        )

    def _traffic(self, trial: Trial, alpha: float, rng: np.random.Generator) -> Traffic:
        agent: Bool = rng.random(len(trial)) < alpha
        score = self.plan.roc.draw(agent, rng)
        dials = self.plan.dials
        discount = np.array([dials.discount(float(f)) for f in score])
        return Traffic(
            agent, score, discount, score >= dials.invalid_at, score >= self.plan.learn_below
        )

    def _tve_error(self, model: ValueModel) -> float:
        """RMSE of V(k) on people of a world of its own, at every third token of every ad."""
        ads, curve = _ads(self.test), _flat(self.test.curve)
        squares, count = 0.0, 0
        for k in range(1, 48, 3):
            inside = ads.tokens >= k
            at = np.full(len(ads.tokens), k)
            gap = (model.value(ads, at) - curve.value(at))[inside]
            squares, count = squares + float(gap @ gap), count + int(inside.sum())
        return float(np.sqrt(squares / count))


def _flat(curve: readers.Curve) -> readers.Curve:
    return readers.Curve(**{name: v.ravel() for name, v in vars(curve).items()})


def _ads(trial: Trial) -> Ads:
    words = [trial.world.words[place] for place in trial.ad.ravel()]
    return Ads.of(trial.curve.relevance.ravel(), trial.curve.annoyance.ravel(), words)


def _taken(ads: Ads, rows: Bool) -> Ads:
    return Ads(**{name: v[rows] for name, v in vars(ads).items()})


def _showings(
    trial: Trial, agent: Bool, eager: float, rng: np.random.Generator
) -> tuple[Ads, I64, F64]:
    """Every candidate of every conversation, shown at some length, and its bucket's clicks."""
    ads, curve = _ads(trial), _flat(trial.curve)
    k = delivered_lengths(ads.tokens.astype(np.int64), rng)
    people = np.minimum(rng.poisson(readers.rate_of(curve.value(k))), readers.READERS)
    agents = rng.binomial(readers.READERS, eager, len(k))
    rows = np.repeat(agent, trial.ad.shape[1])
    return ads, k, np.where(rows, agents, people).astype(np.float64)


def _believed(model: ValueModel, trial: Trial) -> tuple[F64, F64, F64]:
    """v_max, a, k_0 [n, CANDIDATES]."""
    v_max, a, k_0 = (part.reshape(trial.ad.shape) for part in model.curves(_ads(trial)))
    return v_max, a, k_0


def _forecast_error(
    train: tuple[Trial, Traffic], test: tuple[Trial, Traffic], discounts: bool
) -> float:
    """RMSE on the replies to people, made from replies to everybody."""

    def series(trial: Trial, traffic: Traffic) -> F64:
        moved = trial.log_w + (np.log(np.maximum(traffic.discount, 1e-9)) * discounts)[:, None]
        floored: F64 = np.maximum(moved, np.log(W_FLOOR))
        return floored

    weights = fit_forecast(series(*train))
    return forecast_error(weights, series(*test)[~test[1].agent])


def select(figures: Sequence[Figure], alpha: float, arm: str, name: str) -> F64:
    """[seeds] a figure of an arm, in the order of the seeds."""
    found = sorted((f for f in figures if f.alpha == alpha and f.arm == arm), key=lambda f: f.seed)
    return np.array([float(getattr(one, name)) for one in found])
