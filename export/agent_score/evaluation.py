# SPDX-License-Identifier: Apache-2.0
"""Runs every method on the same folds and keeps what the tables and plots are made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from bls.phantom.kernels import F64
from export.agent_score import published, scores
from export.agent_score.baselines import METHODS, Method
from export.agent_score.calibrate import unseen
from export.agent_score.config import TrainConfig
from export.agent_score.folds import Fold, answers, by_driver, by_session, one_by_one, together
from export.agent_score.scores import Interval, Promised
from export.agent_score.sessions import LENGTHS, Flags, Ints, Prefixes
from export.errors import ExportError

OURS = next(iter(METHODS))
WITHOUT: Mapping[str, tuple[str, ...]] = {
    "sub-kernel divergences alone": ("divergence",),
    "no sub-kernel divergences": ("categories", "stats"),
    "no statistics (no clock, no prices)": ("divergence", "categories"),
    "acts one by one, in place of their categories": ("divergence", "acts", "pairs", "stats"),
}
Bar = Callable[[int], object]
"""Told of so many folds done."""


@dataclass(frozen=True)
class Plan:
    """Attributes:
    folds: of sessions at random.
    alone: sessions that are left out one by one as well; 0 for none.
    methods: of `METHODS`; ours is always one.
    """

    config: TrainConfig
    seed: int = 0
    folds: int = 5
    alone: int = 0
    methods: tuple[str, ...] = tuple(METHODS)

    def __post_init__(self) -> None:
        if not {OURS} <= set(self.methods) <= METHODS.keys() or self.folds < 2:
            raise ExportError("config_invalid", f"methods are {', '.join(METHODS)}; folds from 2")


@dataclass
class Evaluation:
    """Scores are of rows [n] of `data`.

    Attributes:
        session: method -> out-of-fold scores; every session is held once.
        driver: method -> driver -> AUC of its held-out sessions, whole.
        fold: that a session [s] was held in, for `session`.
        strange: our scores by a classifier and calibration that had not seen the session's driver.
        blocks: what was read -> (AUC on session folds, mean and least AUC of drivers).
        loso: exact leave-one-session-out, of so many sessions.
    """

    data: Prefixes
    config: TrainConfig
    fold: Ints
    session: dict[str, F64] = field(default_factory=dict)
    driver: dict[str, dict[str, Interval]] = field(default_factory=dict)
    strange: F64 = field(default_factory=lambda: np.zeros(0))
    blocks: dict[str, tuple[Interval, float, float]] = field(default_factory=dict)
    loso: tuple[Interval, int] | None = None

    def whole(self, found: F64) -> tuple[Flags, F64]:
        """(agent, score) of the sessions that have one, whole."""
        return self.after(found, int(self.data.length.max()))

    def after(self, found: F64, events: int) -> tuple[Flags, F64]:
        """The same after their first `events` events."""
        rows = self.data.at(events)
        rows = rows[~np.isnan(found[rows])]
        return self.data.agent[self.data.session[rows]], found[rows]

    def promised(self, found: F64, events: int) -> Promised:
        """What a threshold for 95 % precision finds after `events` events in the fold that it was
        not chosen on."""
        fold = self.fold[self.data.session[self.data.at(events)]]
        return scores.promised(*self.after(found, events), fold, self.config.prior)


def steps(data: Prefixes, plan: Plan) -> int:
    """How often a bar is told of a fold by `evaluate`."""
    each = plan.folds + len(by_driver(data, plan.seed))
    return (len(plan.methods) + len(WITHOUT)) * each + min(plan.alone, len(data.agent))


def evaluate(data: Prefixes, plan: Plan, bar: Bar) -> Evaluation:
    """Everything, on folds of sessions and on held-out drivers, and sessions one by one."""
    sessions, drivers = by_session(data, plan.folds, plan.seed), by_driver(data, plan.seed)
    fold = np.argmax([one.held for one in sessions], axis=0)
    result = Evaluation(data, plan.config, fold)
    for name in plan.methods:
        method = METHODS[name]
        result.session[name] = together(_scored(method, data, sessions, plan, bar))
        found = _scored(method, data, drivers, plan, bar)
        result.driver[name] = {
            fold.name: scores.auc_interval(*result.whole(part))
            for fold, part in zip(drivers, found, strict=True)
        }
    result.strange = unseen(data, plan.config, plan.seed)
    ours = METHODS[OURS]
    for name, blocks in WITHOUT.items():
        less = replace(plan, config=replace(plan.config, blocks=blocks))
        pooled = together(_scored(ours, data, sessions, less, bar))
        each = [scores.auc(*result.whole(part)) for part in _scored(ours, data, drivers, less, bar)]
        interval = scores.auc_interval(*result.whole(pooled))
        result.blocks[name] = interval, float(np.mean(each)), min(each)
    if plan.alone:
        alone = one_by_one(data, plan.alone, plan.seed)
        one = together(_scored(ours, data, alone, plan, bar))
        result.loso = scores.auc_interval(*result.whole(one)), len(alone)
    return result


def _scored(
    method: Method, data: Prefixes, folds: Sequence[Fold], plan: Plan, bar: Bar
) -> list[F64]:
    found = []
    for _, part in answers(method, data, folds, plan.config, plan.seed):
        found.append(part)
        bar(1)
    return found


@dataclass(frozen=True)
class GapTest:
    """One line of the published test. Means and standard deviations of the gap, by class."""

    name: str
    own: bool
    human: tuple[float, float]
    agent: tuple[float, float]
    p: float
    auc: Interval


def gap_tests(data: Prefixes) -> list[GapTest]:
    """With and without the scored session in its centroid, rows intersected and smoothed."""
    counts = data.transitions[data.whole()]
    found = []
    for smooth, name in ((False, "supports intersected (published)"), (True, "rows smoothed")):
        for own in (True, False):
            gaps = published.gaps(counts, data.agent, own, smooth)
            found.append(_gap_test(name, own, gaps, data.agent))
    return found


def _gap_test(name: str, own: bool, gaps: F64, agent: Flags) -> GapTest:
    human, agents = (
        (float(gaps[side].mean()), float(gaps[side].std(ddof=1))) for side in (~agent, agent)
    )
    interval = scores.auc_interval(agent, gaps)
    return GapTest(name, own, human, agents, scores.rank_test(agent, gaps), interval)


def small_tests(
    data: Prefixes, seed: int, people: int = 13, agents: int = 16, draws: int = 100
) -> dict[bool, tuple[float, float, float]]:
    """The published test at its own size, over random draws of so few sessions.

    own -> (mean AUC, mean difference of the classes' gaps, share of draws with p < 0.001).
    """
    rng = np.random.default_rng(seed)
    counts = data.transitions[data.whole()]
    sides = [np.flatnonzero(data.agent == side) for side in (False, True)]
    people, agents = min(people, len(sides[0])), min(agents, len(sides[1]))
    agent = np.arange(people + agents) >= people
    rows: dict[bool, list[tuple[float, float, bool]]] = {True: [], False: []}
    for _ in range(draws):
        pick = np.concatenate(
            [rng.choice(sides[0], people, False), rng.choice(sides[1], agents, False)]
        )
        for own, kept in rows.items():
            gaps = published.gaps(counts[pick], agent, own, smooth=False)
            apart = float(gaps[agent].mean() - gaps[~agent].mean())
            kept.append((scores.auc(agent, gaps), apart, scores.rank_test(agent, gaps) < 0.001))
    means = {own: np.array(kept, float).mean(axis=0) for own, kept in rows.items()}
    return {own: (float(a), float(b), float(c)) for own, (a, b, c) in means.items()}


def first_sure(result: Evaluation, found: F64, recall: float) -> tuple[int, float] | None:
    """Fewest events after which `promised` finds that recall or more, and its precision then."""
    for events in LENGTHS:
        seen = result.promised(found, events)
        if seen.recall >= recall:
            return events, seen.precision.value
    return None
