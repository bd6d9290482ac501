# SPDX-License-Identifier: Apache-2.0
"""f(tau) of simulated sessions, drawn from a stated ROC.

Binormal with one spread: the log likelihood ratio of a session is normal with mean +- d^2 / 2 and
standard deviation d, where AUC = Phi(d / sqrt 2). Then

    f = sigmoid(LLR + logit prior)

is calibrated exactly where a share `prior` of the sessions are agents, as the served score is, and
is off elsewhere as the served one would be.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.special import expit, ndtri

from bls.errors import invalid
from pipelines_dagster.defs.market.traits import F64, Bool

AUC, PRIOR = 0.9, 0.3
"""Where there is no score to ask: a session's probability that is right nine times of ten."""


@dataclass(frozen=True)
class Roc:
    """`origin`: where it comes from, for the report."""

    auc: float = AUC
    prior: float = PRIOR
    origin: str = "assumed"

    def __post_init__(self) -> None:
        if not (0.5 <= self.auc < 1 and 0 < self.prior < 1):
            raise invalid("bad_roc", "An AUC is in [0.5, 1) and a prior in (0, 1).")

    @property
    def separation(self) -> float:
        """d."""
        return math.sqrt(2) * float(ndtri(self.auc))

    def draw(self, agent: Bool, rng: np.random.Generator) -> F64:
        """[n] f of sessions, given which of them are agents."""
        d = self.separation
        mean = np.where(agent, d * d / 2, -d * d / 2)
        ratio = mean + d * rng.standard_normal(len(agent))
        score: F64 = expit(ratio + math.log(self.prior / (1 - self.prior)))
        return score


def served(folder: Path) -> Roc:
    """That of a served `agent_score`, on kinds of agents it was not trained on; else `Roc()`."""
    try:
        told = json.loads((folder / "manifest.json").read_text())
        auc = float(told["metrics"]["unseen.auc"])
        prior = float(told["details"]["config"]["prior"])
        version = str(told["files"]["model.onnx"])[:12]
    except (OSError, ValueError, KeyError, TypeError):
        return Roc()
    return Roc(min(max(auc, 0.5), 0.9999), prior, f"agent_score {version}, unseen kinds of agents")
