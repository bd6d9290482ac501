# SPDX-License-Identifier: Apache-2.0
"""What `agent_score` is compared with, on the same folds, prefixes and weights.

The published formula, logistic regression on n-grams (first acts, acts, pairs of acts), and
gradient boosting on n-grams and the statistics that `agent_score` reads.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression

from bls.phantom.divergence import probability
from bls.phantom.kernels import F64
from export.agent_score import inputs, published
from export.agent_score.calibrate import fit
from export.agent_score.config import TrainConfig
from export.agent_score.fitting import weights
from export.agent_score.sessions import F32, Flags, Prefixes

Score = Callable[[F32, F32], F64]
"""(transitions, stats) -> probabilities [n]."""
Method = Callable[[Prefixes, Flags, TrainConfig, int], Score]
"""Fits on the marked sessions."""


def ours(data: Prefixes, sessions: Flags, config: TrainConfig, seed: int) -> Score:
    """As it is served: calibrated, and held back while there is little evidence."""
    return fit(data, sessions, config, seed).probability


def formula(data: Prefixes, sessions: Flags, config: TrainConfig, seed: int) -> Score:
    """f = sigmoid(g / T), T = 1, one centroid a class, supports intersected."""
    return _formula(data, sessions, False)


def formula_smoothed(data: Prefixes, sessions: Flags, config: TrainConfig, seed: int) -> Score:
    """The same with smoothed rows."""
    return _formula(data, sessions, True)


def ngrams(data: Prefixes, sessions: Flags, config: TrainConfig, seed: int) -> Score:
    model = LogisticRegression(C=1.0, max_iter=300)
    return _learned(model, lambda counts, stats: _grams(counts), data, sessions, config)


def boosting(data: Prefixes, sessions: Flags, config: TrainConfig, seed: int) -> Score:
    model = HistGradientBoostingClassifier(
        max_iter=50, max_leaf_nodes=15, learning_rate=0.15, max_bins=32, random_state=seed
    )
    return _learned(model, _everything, data, sessions, config)


METHODS: dict[str, Method] = {
    "agent_score": ours,
    "published formula": formula,
    "formula, smoothed rows": formula_smoothed,
    "logistic regression, n-grams": ngrams,
    "gradient boosting": boosting,
}


def _formula(data: Prefixes, sessions: Flags, smooth: bool) -> Score:
    whole = data.whole()[sessions]
    train, agent = data.transitions[whole], data.agent[sessions]
    return lambda counts, stats: probability(published.score(train, agent, counts, smooth))


def _learned(
    model: Any, read: Score, data: Prefixes, sessions: Flags, config: TrainConfig
) -> Score:
    rows = data.of(sessions) & (data.length > 1)
    weight = weights(data, sessions, config.prior)[rows]
    x = read(data.transitions[rows], data.stats[rows])
    labels = data.agent[data.session[rows]]
    model.fit(x, labels, sample_weight=weight * rows.sum() / weight.sum())
    return lambda counts, stats: model.predict_proba(read(counts, stats))[:, 1]


def _grams(counts: F32) -> F64:
    return np.concatenate([inputs.acts(counts), inputs.pairs(counts)], axis=1)


def _everything(counts: F32, stats: F32) -> F64:
    return np.concatenate([_grams(counts), inputs.stats(stats)], axis=1)
