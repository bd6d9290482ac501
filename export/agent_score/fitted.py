# SPDX-License-Identifier: Apache-2.0
"""A trained classifier as plain arrays, and its answers in numpy (the oracle of the graph)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bls.phantom.kernels import F64
from export.agent_score import inputs
from export.agent_score.config import TrainConfig
from export.agent_score.sessions import F32

CLIP = 5.0
"""Standardised inputs are held within it: no count, however odd, gets more say than this."""
BOUND = 4.0
"""The classifier's word is held within it, softly: strangers must not be judged without doubt."""


Layers = tuple[tuple[F64, F64], ...]


@dataclass(frozen=True)
class Fitted:
    """Attributes:
    human, agent: sub-kernels [k, 14, 14].
    mean, scale: of the inputs [d], in training.
    layers: (weight [in, out], bias [out]) of one or two layers; the last has one output.
    slope, offset: of the calibration (Platt): z becomes slope x z + offset.
    """

    config: TrainConfig
    human: F64
    agent: F64
    mean: F64
    scale: F64
    layers: Layers
    slope: float = 1.0
    offset: float = 0.0

    def raw(self, counts: F32, stats: F32) -> F64:
        """z [n]: what the classifier says before it is calibrated and held back."""
        x = np.clip((self._inputs(counts, stats) - self.mean) / self.scale, -CLIP, CLIP)
        for weight, bias in self.layers[:-1]:
            x = np.maximum(x @ weight + bias, 0)
        weight, bias = self.layers[-1]
        return bounded((x @ weight + bias)[:, 0])

    def probability(self, counts: F32, stats: F32) -> F64:
        """f(tau) [n], calibrated for a share `config.prior` of agents."""
        held = inputs.evidence(counts, self.config.patience)
        z = self.slope * self.raw(counts, stats) + self.offset
        return sigmoid(log_odds(self.config.prior) + held * z)

    def _inputs(self, counts: F32, stats: F32) -> F64:
        return gathered(counts, stats, self.human, self.agent, self.config)


def gathered(counts: F32, stats: F32, human: F64, agent: F64, config: TrainConfig) -> F64:
    """The configured blocks of inputs [n, d]."""
    parts = {
        "divergence": inputs.deltas(counts, human, agent, config.smoothing),
        "acts": inputs.acts(counts),
        "pairs": inputs.pairs(counts),
        "categories": inputs.categories(counts),
        "stats": inputs.stats(stats),
    }
    return inputs.joined(config.blocks, parts)


def bounded(z: F64) -> F64:
    """z where it is small, `BOUND` where it is large."""
    held: F64 = BOUND * np.tanh(z / BOUND)
    return held


def log_odds(share: float) -> float:
    return float(np.log(share / (1 - share)))


def sigmoid(x: NDArray[np.float64]) -> F64:
    half: F64 = 0.5 * (1.0 + np.tanh(x / 2.0))
    return half
