# SPDX-License-Identifier: Apache-2.0
"""Options of a training run, checked when they are made."""

from __future__ import annotations

from dataclasses import dataclass

from export.errors import ExportError


@dataclass(frozen=True)
class TrainConfig:
    """Sizes are TT-Tiny's (competitor_bid 2.3); the steps fit a laptop CPU in minutes.

    Attributes:
        width, layers, heads, hidden: token embedding, encoder layers, heads, feed-forward units.
        tokens: how many tokens the 128 PCA numbers are spread over.
        pretrain_steps: stage 1, squared error of the mixture's mean alone.
        steps: stage 2, negative log-likelihood + 0.1 squared error.
        corrupted: share of the training windows whose history carries a false spike or bluff.
        stretched: share of the rows drawn from a calmer or wilder market, see `batches`.
        strange_contexts: share of the rows whose context is a random direction instead.
        validation: share of the conversations kept out of training, for the learning curve.
        max_rows: at most so many rows, drawn once, are used.
    """

    width: int = 64
    layers: int = 2
    heads: int = 4
    hidden: int = 128
    tokens: int = 8
    batch: int = 512
    pretrain_steps: int = 300
    steps: int = 3000
    learning_rate: float = 2e-3
    weight_decay: float = 1e-2
    mse_weight: float = 0.1
    corrupted: float = 0.25
    stretched: float = 0.5
    strange_contexts: float = 0.2
    validation: float = 0.05
    max_rows: int = 2_000_000

    def __post_init__(self) -> None:
        sizes = (self.width, self.layers, self.heads, self.hidden, self.tokens, self.batch)
        if min(*sizes, self.steps, self.max_rows) < 1 or self.pretrain_steps < 0:
            raise ExportError("config_invalid", "sizes and steps are positive")
        if self.width % self.heads:
            raise ExportError("config_invalid", "width is a multiple of heads")
        shares = (self.corrupted, self.stretched, self.strange_contexts)
        if not (0 <= min(shares) <= max(shares) <= 1 and 0 < self.validation < 1):
            raise ExportError("config_invalid", "shares lie between 0 and 1")
        if min(self.learning_rate, self.mse_weight, self.weight_decay) < 0:
            raise ExportError("config_invalid", "rates are not negative")
