# SPDX-License-Identifier: Apache-2.0
"""f(tau) of simulated sessions: drawn from those of driven ones, or from a stated ROC.

`Pool` has what a classifier said of driven sessions after each of a few events (`driven`). `Roc` is
binormal with one spread: the log likelihood ratio of a session is normal with mean +- d^2 / 2 and
standard deviation d, where AUC = Phi(d / sqrt 2). Then

    f = sigmoid(LLR + logit prior)

is calibrated exactly where a share `prior` of the sessions are agents, and is off elsewhere.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from scipy.special import expit, ndtri

from bls.errors import invalid
from pipelines_dagster.defs.market.traits import F64, Bool

AUC, PRIOR = 0.9, 0.3
"""Of a `Roc` where nothing is said."""


class Drawn(NamedTuple):
    """f [n] of sessions when a chat's reply begins, and once more was seen of them."""

    before: F64
    now: F64


class Scores(Protocol):
    """Where f comes from. `name`: short, of a table; `origin`: in words."""

    @property
    def name(self) -> str: ...

    @property
    def origin(self) -> str: ...

    def draw(self, agent: Bool, rng: np.random.Generator) -> Drawn:
        """Of n sessions, given which of them are agents; as many numbers are drawn of either."""


@dataclass(frozen=True)
class Roc:
    """Before a session's own score it has the prior."""

    auc: float = AUC
    prior: float = PRIOR

    def __post_init__(self) -> None:
        if not (0.5 <= self.auc < 1 and 0 < self.prior < 1):
            raise invalid("bad_roc", "An AUC is in [0.5, 1) and a prior in (0, 1).")

    @property
    def name(self) -> str:
        return f"AUC {self.auc:g}"

    @property
    def origin(self) -> str:
        return f"assumed, AUC {self.auc:g}, prior {self.prior:g}"

    @property
    def separation(self) -> float:
        """d."""
        return math.sqrt(2) * float(ndtri(self.auc))

    def draw(self, agent: Bool, rng: np.random.Generator) -> Drawn:
        d = self.separation
        mean = np.where(agent, d * d / 2, -d * d / 2)
        ratio = mean + d * rng.standard_normal(len(agent))
        score: F64 = expit(ratio + math.log(self.prior / (1 - self.prior)))
        return Drawn(np.full(len(agent), self.prior), score)


@dataclass(frozen=True)
class Moments:
    """Moments [m] of one actor's sessions: f before and at each, and how likely it is."""

    before: F64
    now: F64
    weight: F64

    def at(self, place: F64) -> Drawn:
        """The moments at places [n] in 0 .. 1 of all that there are."""
        ends = np.cumsum(self.weight)
        rows = np.searchsorted(ends, place * ends[-1], side="right").clip(max=len(ends) - 1)
        return Drawn(self.before[rows], self.now[rows])


@dataclass(frozen=True)
class Pool:
    """Scores that were given to sessions."""

    name: str
    origin: str
    agents: Moments
    people: Moments

    def draw(self, agent: Bool, rng: np.random.Generator) -> Drawn:
        place = rng.random(len(agent))
        pairs = zip(self.agents.at(place), self.people.at(place), strict=True)
        return Drawn(*(np.where(agent, one, other) for one, other in pairs))
