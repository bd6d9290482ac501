# SPDX-License-Identifier: Apache-2.0
"""The three comparisons of one market regime, on paired seeds.

roi      controller against the best fixed bid; the ad of each conversation is given
ctr      ad by predicted plateau, bid by the controller, against the most similar ad, best fixed bid
revenue  reserve prices by forecast against static ones (see `reserve`)

Both arms of a pair see the same conversations, competition, ads and budget.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from operator import attrgetter

import numpy as np

from bls.audit.bootstrap import Estimate, ratios
from bls.brain.curve import value
from bls.brain.params import MpcParams
from pipelines_dagster.defs.market.ab.bidders import Bidder, Controller
from pipelines_dagster.defs.market.ab.models import (
    Curves,
    Forecast,
    believe,
    oracle_forecast,
)
from pipelines_dagster.defs.market.ab.play import Outcome, Setting, play
from pipelines_dagster.defs.market.ab.reserve import (
    FACTORS,
    STATIC,
    guided_revenue,
    static_revenue,
)
from pipelines_dagster.defs.market.ab.trial import Trial, draw_trial
from pipelines_dagster.defs.market.ab.tuning import best_fixed, best_params
from pipelines_dagster.defs.market.traits import F64, I64

Believed = tuple[F64, F64, F64]
"""v_max, a, k_0 [n, CANDIDATES]."""

TUNING_SEED = 1_000_000
"""Seeds from here on tune, seeds below compare."""


@dataclass(frozen=True)
class Plan:
    """Size and models of an experiment.

    Attributes:
        conversations: per seed.
    """

    forecast: Forecast
    curves: Curves
    setting: Setting
    seeds: int = 12
    tuning_seeds: int = 2
    conversations: int = 800


@dataclass(frozen=True)
class Comparison:
    """Two arms over the same seeds.

    Attributes:
        base, guided: [seeds] the metric of each arm.
        notes: what the arms were.
    """

    name: str
    regime: str
    base: F64
    guided: F64
    notes: Mapping[str, object]

    @property
    def lift(self) -> Estimate:
        """Relative change of the mean, with its 95 % interval over seeds (paired bootstrap)."""
        change = (self.guided - self.base)[:, None]
        return ratios(range(len(self.base)), change, self.base, seed=0)[0]

    @property
    def verdict(self) -> str:
        """What the interval allows to say."""
        lift = self.lift
        if lift.low > 0:
            return "better"
        return "worse" if lift.high < 0 else "no difference shown"


@dataclass(frozen=True)
class Case:
    """A trial with what is believed of it, and the ad each arm chooses."""

    trial: Trial
    curves: Believed
    base_ad: I64
    guided_ad: I64


def compare(regime: str, plan: Plan, progress: Callable[[int], object]) -> list[Comparison]:
    """All comparisons of a regime; `progress` is told of every seed."""
    tuning = [_trial(regime, TUNING_SEED + i, plan) for i in range(plan.tuning_seeds)]
    trials = []
    for seed in range(plan.seeds):
        trials.append(_trial(regime, seed, plan))
        progress(1)
    both = [[(trial, plan.curves(trial)) for trial in some] for some in (tuning, trials)]
    made: list[Comparison] = []
    for name, view in (("roi", _given), ("ctr", _chosen)):
        cases = [[view(trial, curves) for trial, curves in some] for some in both]
        made += _bidding(name, regime, plan, cases)
    made += _revenue(regime, tuning, trials)
    progress(plan.seeds)
    return made


def _trial(regime: str, seed: int, plan: Plan) -> Trial:
    with_law = plan.forecast is oracle_forecast
    trial = draw_trial(regime, plan.conversations, seed, with_law=with_law)
    return trial if with_law else believe(trial, plan.forecast)


def _bidding(name: str, regime: str, plan: Plan, both: list[list[Case]]) -> Iterator[Comparison]:
    """The tuned controller, and the controller as it is shipped, against the best fixed bid.

    Args:
        name: the metric, of `Outcome`.
        both: cases that tune, and cases that compare.
    """
    metric: Callable[[Outcome], float] = attrgetter(name)
    tuning, cases = both

    def arm(case: Case, params: MpcParams) -> Outcome:
        bidder = Controller(params, case.curves, plan.setting.reserve)
        return play(case.trial, bidder, case.guided_ad, plan.setting)

    def base(case: Case, bidder: Bidder) -> Outcome:
        return play(case.trial, bidder, case.base_ad, plan.setting)

    fixed = best_fixed(lambda bidder: sum(metric(base(case, bidder)) for case in tuning))
    params = best_params(lambda p: sum(metric(arm(case, p)) for case in tuning))
    below = [base(case, fixed) for case in cases]
    for label, chosen in ((name, params), (f"{name}, parameters as shipped", MpcParams())):
        above = [arm(case, chosen) for case in cases]
        notes = {
            "fixed": vars(fixed),
            "params": chosen.model_dump(),
            "base": _describe(below),
            "guided": _describe(above),
        }
        pair = [np.array([metric(outcome) for outcome in arms]) for arms in (below, above)]
        yield Comparison(label, regime, pair[0], pair[1], notes)


def _given(trial: Trial, curves: Believed) -> Case:
    """The first candidate is the ad."""
    first = np.zeros(len(trial), np.int64)
    return Case(trial, curves, first, first)


def _chosen(trial: Trial, curves: Believed) -> Case:
    """Similarity chooses for the base, predicted response for the guided arm; clicks are all that
    counts, so every ad has the same price."""
    same = replace(trial, price=np.full_like(trial.price, np.median(trial.price)))
    rows = [value(*(p[:, place] for p in curves)) for place in range(same.ad.shape[1])]
    whole = np.stack(rows, axis=1)
    reached = np.take_along_axis(whole, same.tokens[:, :, None] - 1, axis=2)[:, :, 0]
    return Case(same, curves, same.cosine.argmax(axis=1), reached.argmax(axis=1))


def _revenue(regime: str, tuning: list[Trial], trials: list[Trial]) -> Iterator[Comparison]:
    guided = np.array([guided_revenue(trial) for trial in trials])
    best = max(FACTORS, key=lambda f: sum(static_revenue(trial, f) for trial in tuning))
    for name, factor in (("static +2 %", STATIC), ("best static factor", best)):
        base = np.array([static_revenue(trial, factor) for trial in trials])
        yield Comparison(f"revenue, {name}", regime, base, guided, {"factor": factor})


def _describe(outcomes: list[Outcome]) -> dict[str, float]:
    """Means over seeds, per conversation where that makes sense."""
    readers = np.array([o.readers for o in outcomes], np.float64)
    return {
        "value_per_spend": float(np.mean([o.value / max(o.spend, 1e-9) for o in outcomes])),
        "spend_share": float(np.mean([o.spend / o.budget for o in outcomes])),
        "clicks_per_1000": float(np.mean([1_000 * o.clicks for o in outcomes] / readers)),
        "shown_share": float(np.mean([1_000 * o.shown for o in outcomes] / readers)),
        "uneven_spend": float(np.mean([o.uneven for o in outcomes])),
    }
