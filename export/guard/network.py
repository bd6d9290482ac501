# SPDX-License-Identifier: Apache-2.0
"""The classifier: four transformer layers over byte-pair pieces, mean and maximum to one number."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from export.guard.config import GuardConfig
from export.tve.layers import Layer

_NO = -1e4


class Classifier(nn.Module):  # type: ignore[misc]
    """`forward` gives a logit; `Unsafe` wraps it for export."""

    def __init__(self, config: GuardConfig, vocabulary: int) -> None:
        super().__init__()
        width = config.width
        self.pieces = nn.Embedding(vocabulary, width)
        self.places = nn.Parameter(torch.zeros(config.tokens, width))
        nn.init.normal_(self.pieces.weight, std=0.05)
        nn.init.normal_(self.places, std=0.02)
        self.drop = nn.Dropout(config.dropout)
        self.layers = nn.ModuleList(
            Layer(width, config.heads, config.feed, config.dropout) for _ in range(config.layers)
        )
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(2 * width, 1)

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        """ids, mask int64 [n, L], L at most `tokens`, at least one piece a row -> logit f32 [n]."""
        real = mask.to(torch.float32)
        x = self.drop(self.pieces(ids) + self.places[: ids.shape[1]])
        for layer in self.layers:
            x = layer(x, real)
        x = self.norm(x)
        weight = real[:, :, None]
        mean = (x * weight).sum(1) / weight.sum(1)
        most = (x + (1.0 - weight) * _NO).amax(1)
        logit: Tensor = self.head(self.drop(torch.cat([mean, most], 1))).squeeze(1)
        return logit


class Unsafe(nn.Module):  # type: ignore[misc]
    """The probability, with a temperature that was fitted on the calibration part."""

    def __init__(self, classifier: Classifier, temperature: float = 1.0) -> None:
        super().__init__()
        self.classifier, self.temperature = classifier, temperature

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """int64 [n, L] twice -> f32 [n] in [0, 1]."""
        return torch.sigmoid(self.classifier(input_ids, attention_mask) / self.temperature)
