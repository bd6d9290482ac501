# SPDX-License-Identifier: Apache-2.0
"""Options of a training run, checked when they are made."""

from __future__ import annotations

from argparse import ArgumentTypeError
from dataclasses import dataclass

from bls.phantom.kernels import SMOOTHING
from export.errors import ExportError


@dataclass(frozen=True)
class TrainConfig:
    """Attributes:
    prior: share of agents that probabilities are calibrated for (alpha of PHANTOM's defaults); the
        score of a session of 0 or 1 acts.
    patience: acts past the first at which the evidence counts half; fewer count less.
    smoothing: of every kernel's rows.
    human_kinds, agent_kinds: sub-kernels of a class.
    hidden: units of the classifier's hidden layer; 0 makes it a logistic regression.
    dropout: share of inputs hidden at a training step.
    blocks: what the classifier reads, see `inputs`.
    """

    prior: float = 0.3
    patience: float = 2.0
    smoothing: float = SMOOTHING
    human_kinds: int = 2
    agent_kinds: int = 4
    hidden: int = 16
    dropout: float = 0.4
    steps: int = 800
    batch: int = 256
    learning_rate: float = 5e-3
    weight_decay: float = 0.03
    blocks: tuple[str, ...] = ("divergence", "categories", "stats")

    def __post_init__(self) -> None:
        counts = (self.human_kinds, self.agent_kinds, self.steps, self.batch)
        if min(counts) < 1 or self.hidden < 0 or min(self.patience, self.smoothing) <= 0:
            raise ExportError("config_invalid", "sizes, steps and smoothing are positive")
        if not (0 < self.prior < 1 and 0 <= self.dropout < 1):
            raise ExportError("config_invalid", "prior and dropout lie between 0 and 1")
        if min(self.learning_rate, self.weight_decay) < 0:
            raise ExportError("config_invalid", "rates are not negative")


def natural(text: str) -> int:
    """A seed or a count of a command line. Raises `ArgumentTypeError` below 0 and from 2^32 on."""
    if not (text.isascii() and text.isdecimal() and int(text[:12]) < 2**32):
        raise ArgumentTypeError(f"{text!r} is not a whole number from 0 to {2**32 - 1}")
    return int(text)
