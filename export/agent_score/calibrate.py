# SPDX-License-Identifier: Apache-2.0
"""Probabilities that mean what they say, also of agents never seen: Platt's slope and offset.

Fitted on answers about held-out sessions: three quarters of their weight on drivers that the
answering classifier knew, one quarter on drivers it had not seen (`apart`), about which it is far
less right. So f takes it that every fourth visitor is of a kind that was not in the training.
`unseen` fits both anew for each part that is held out, so no session is scored by a calibration
that saw it. Source: Platt 1999, with the prior as a fixed offset.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from bls.phantom.kernels import F64
from export.agent_score import inputs
from export.agent_score.config import TrainConfig
from export.agent_score.fitted import Fitted, log_odds, sigmoid
from export.agent_score.fitting import fit_raw, weights
from export.agent_score.sessions import Flags, Prefixes

_RIDGE = 1e-3
_KNOWN = 2
"""Folds of sessions for the part that is known."""
_STRANGE = 0.25
"""Weight of the part that is not."""


def fit(data: Prefixes, sessions: Flags, config: TrainConfig, seed: int) -> Fitted:
    """A calibrated classifier of the marked sessions; not calibrated where a class has but one."""
    fitted = fit_raw(data, sessions, config, seed)
    agents = int(data.agent[sessions].sum())
    if min(agents, int(sessions.sum()) - agents) < 2:
        return fitted
    rows = data.of(sessions)
    parts = apart(data, sessions, seed), session_folds(data, sessions, seed, _KNOWN)
    z = np.concatenate([_held_out(data, sessions, part, config, seed)[rows] for part in parts])
    gate = inputs.evidence(data.transitions[rows], config.patience)
    labels = data.agent[data.session[rows]].astype(np.float64)
    weight = weights(data, sessions, config.prior)[rows]
    gate, labels = np.tile(gate, 2), np.tile(labels, 2)
    weight = np.concatenate([_STRANGE * weight, (1 - _STRANGE) * weight])
    slope, offset = platt(z, gate, labels, weight, log_odds(config.prior))
    return replace(fitted, slope=slope, offset=offset)


def unseen(data: Prefixes, config: TrainConfig, seed: int) -> F64:
    """Scores of all rows [n] by classifiers whose training and calibration knew nothing of their
    drivers: each part of `apart` is scored by a whole `fit` of the others."""
    everything = np.ones(len(data.agent), bool)
    found = np.zeros(len(data.length))
    for held in apart(data, everything, seed):
        rows = data.of(held)
        fitted = fit(data, ~held, config, seed)
        found[rows] = fitted.probability(data.transitions[rows], data.stats[rows])
    return found


def _held_out(
    data: Prefixes, sessions: Flags, parts: Sequence[Flags], config: TrainConfig, seed: int
) -> F64:
    """z of all rows by classifiers of the other parts, 0 outside `sessions`."""
    z = np.zeros(len(data.length))
    for held in parts:
        rows = data.of(held)
        found = fit_raw(data, sessions & ~held, config, seed)
        z[rows] = found.raw(data.transitions[rows], data.stats[rows])
    return z


def apart(data: Prefixes, sessions: Flags, seed: int, folds: int = 4) -> Sequence[Flags]:
    """Parts of the sessions that share no driver with the rest, as far as there are drivers.

    Each part has drivers of both classes, and leaves some of both.
    """
    rng = np.random.default_rng(seed)
    number = np.full(len(data.agent), -1)
    kinds = [np.unique(data.driver[sessions & (data.agent == agent)]) for agent in (False, True)]
    if min(map(len, kinds)) < 2:
        return session_folds(data, sessions, seed, folds)
    parts = min(folds, max(map(len, kinds)))
    for agent, drivers in zip((False, True), kinds, strict=True):
        for at, driver in enumerate(rng.permutation(drivers)):
            mine = sessions & (data.agent == agent) & (data.driver == driver)
            number[mine] = at % parts
    missing = [part for part in range(parts) if not (number == part).any()]
    return [number == part for part in range(parts) if part not in missing]


def session_folds(data: Prefixes, sessions: Flags, seed: int, folds: int) -> Sequence[Flags]:
    """Parts of the sessions with the same share of every driver; fewer where sessions are few."""
    rng = np.random.default_rng(seed)
    number = np.full(len(data.agent), -1)
    for agent in (False, True):
        own = sessions & (data.agent == agent)
        at = np.flatnonzero(own)
        order = at[np.lexsort((rng.random(len(at)), data.driver[at]))]
        number[order] = np.arange(len(order)) % folds
    return [number == fold for fold in range(folds) if (number == fold).any()]


def platt(z: F64, gate: F64, labels: F64, weight: F64, base: float) -> tuple[float, float]:
    """(slope > 0, offset) of `base + gate x (slope z + offset)`, by Newton's method.

    A little ridge pulls to (1, 0).
    """
    x = np.column_stack([gate * z, gate])
    weight = weight / weight.sum()
    start = np.array([1.0, 0.0])
    found = start.copy()
    for _ in range(50):
        p = sigmoid(base + x @ found)
        slope = x.T @ (weight * (p - labels)) + _RIDGE * (found - start)
        curve = (x * (weight * p * (1 - p))[:, None]).T @ x + _RIDGE * np.eye(2)
        step = np.linalg.solve(curve, slope)
        found -= step / max(1.0, float(np.abs(step).max()))
        if np.abs(step).max() < 1e-8:
            break
    return max(float(found[0]), 0.05), float(found[1])
