# SPDX-License-Identifier: Apache-2.0
"""Trains the classifier on prefixes of sessions.

Every driver of a class weighs the same, every session of a driver, and every prefix of a session;
agents weigh `prior` together. Inputs are hidden at random while training, so that no single habit
of a driver decides; the evidence gate of `inputs.evidence` is part of the training.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from bls.phantom.kernels import F64
from export.agent_score import inputs
from export.agent_score.config import TrainConfig
from export.agent_score.fitted import (
    BOUND,
    CLIP,
    Fitted,
    Layers,
    bounded,
    gathered,
    log_odds,
    sigmoid,
)
from export.agent_score.kinds import sub_kernels
from export.agent_score.sessions import F32, Flags, Prefixes

_FLOOR = 0.05
"""Least scale of an input: a cell that hardly ever happens must not shout when it does."""


def weights(data: Prefixes, sessions: Flags, prior: float) -> F64:
    """Of each row [n], 0 outside `sessions`, together 1."""
    rows = data.of(sessions)
    whole = np.zeros(len(data.length))
    for agent, share in ((True, prior), (False, 1 - prior)):
        drivers = np.unique(data.driver[sessions & (data.agent == agent)])
        for driver in drivers:
            mine = sessions & (data.agent == agent) & (data.driver == driver)
            whole[data.of(mine)] = share / len(drivers) / mine.sum()
    prefix = np.bincount(data.session[rows], minlength=len(data.agent))
    each: F64 = whole / np.maximum(prefix[data.session], 1)
    return each


def fit_raw(data: Prefixes, sessions: Flags, config: TrainConfig, seed: int) -> Fitted:
    """A classifier of the marked sessions, not yet calibrated; the same seed gives the same."""
    whole = data.whole()[sessions]
    counts, agent = data.transitions[whole], data.agent[sessions]
    human_kernels = sub_kernels(counts[~agent], config.human_kinds, config.smoothing, seed)
    agent_kernels = sub_kernels(counts[agent], config.agent_kinds, config.smoothing, seed)
    rows = data.of(sessions) & (data.length > 1)
    x = gathered(data.transitions[rows], data.stats[rows], human_kernels, agent_kernels, config)
    weight = weights(data, sessions, config.prior)[rows]
    weight /= weight.sum()
    mean = weight @ x
    scale = np.maximum(np.sqrt(weight @ (x - mean) ** 2), _FLOOR)
    held = inputs.evidence(data.transitions[rows], config.patience)
    labels = data.agent[data.session[rows]]
    standard = np.clip((x - mean) / scale, -CLIP, CLIP).astype(np.float32)
    kept = _Rows(standard, labels, weight, held.astype(np.float32))
    layers = _train(kept, config, seed)
    return Fitted(config, human_kernels, agent_kernels, mean, scale, layers)


class _Rows(NamedTuple):
    """Standardised inputs [n, d]; of each row its label, weight and evidence."""

    x: F32
    agent: Flags
    weight: F64
    held: F32


def _train(rows: _Rows, config: TrainConfig, seed: int) -> Layers:
    """Minimises the log loss with Adam; rows are drawn by their weight."""
    rng = np.random.default_rng(seed)
    layers = _start(rows.x.shape[1], config.hidden, rng)
    adam = _Adam(layers, config)
    ends = np.cumsum(rows.weight)
    base = log_odds(config.prior)
    for step in range(config.steps):
        drawn = np.searchsorted(ends, rng.random(config.batch) * ends[-1]).clip(max=len(ends) - 1)
        x = rows.x[drawn]
        x *= rng.random(x.shape, np.float32) >= config.dropout
        x /= 1 - config.dropout
        held = rows.held[drawn]
        adam.step(_slopes(layers, x, held, rows.agent[drawn], base), step)
    return tuple((weight.astype(np.float64), bias.astype(np.float64)) for weight, bias in layers)


def _slopes(layers: list[list[F32]], x: F32, held: F32, agent: Flags, base: float) -> list[F32]:
    """Gradients of the mean log loss, in the order of `_Adam`'s parameters."""
    values = [x]
    for weight, bias in layers[:-1]:
        values.append(np.maximum(values[-1] @ weight + bias, 0))
    weight, bias = layers[-1]
    z = bounded((values[-1] @ weight + bias)[:, 0])
    wrong = held * (sigmoid(base + held * z) - agent) / len(x)
    back = (wrong * (1 - (z / BOUND) ** 2)).astype(np.float32)[:, None]
    found: list[F32] = []
    for (weight, _), value in zip(reversed(layers), reversed(values), strict=True):
        found = [value.T @ back, back.sum(axis=0), *found]
        back = (back @ weight.T) * (value > 0)
    return found


class _Adam:
    """AdamW (Loshchilov and Hutter 2019) on a cosine, in place; biases do not decay."""

    def __init__(self, layers: list[list[F32]], config: TrainConfig) -> None:
        self._config = config
        self._values = [part for layer in layers for part in layer]
        self._first = [np.zeros_like(part) for part in self._values]
        self._second = [np.zeros_like(part) for part in self._values]

    def step(self, slopes: Sequence[F32], at: int) -> None:
        rate = self._config.learning_rate * (1 + np.cos(np.pi * at / self._config.steps)) / 2
        grown = 1 - 0.9 ** (at + 1), 1 - 0.999 ** (at + 1)
        parts = zip(self._values, slopes, self._first, self._second, strict=True)
        for value, slope, first, second in parts:
            first[...] += 0.1 * (slope - first)
            second[...] += 0.001 * (slope**2 - second)
            if value.ndim > 1:
                value[...] *= 1 - rate * self._config.weight_decay
            value[...] -= rate * (first / grown[0]) / (np.sqrt(second / grown[1]) + 1e-8)


def _start(width: int, hidden: int, rng: np.random.Generator) -> list[list[F32]]:
    sizes = [width, hidden, 1] if hidden else [width, 1]
    return [
        [
            (rng.standard_normal((fan_in, fan_out)) * fan_in**-0.5).astype(np.float32),
            np.zeros(fan_out, np.float32),
        ]
        for fan_in, fan_out in pairwise(sizes)
    ]
