# SPDX-License-Identifier: Apache-2.0
"""TT-Tiny: 150 features -> mu_1, s_1, mu_2, s_2, alpha of log W_-i (competitor_bid 2.3).

    features -> centre (keep the mean) -> PCA 128 -> linear -> 8 tokens of 64
             -> 2 pre-norm encoder layers (4 heads, 128 hidden units) -> norm, flatten
             -> 5-unit linear head over (tokens, the 128 PCA numbers)
             -> mu_1 = mean + a, mu_2 = mu_1 + softplus(b), s = exp(bounded r), alpha = sigmoid(c)

All 128 numbers reach every token: the PCA has mixed the lags, and this layer may unmix them. The
head sees the PCA numbers as well, so that a plain autoregression is one linear map away.
Component 1 is always the one of the smaller mu. Only `mean` knows the level: adding c to every
past value adds c to both mu and changes nothing else.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from bls.brain.features import MEAN, PAST
from bls.contracts import FEATURES
from export.bid_predictor.config import TrainConfig
from export.bid_predictor.pca import COMPONENTS, LIMIT, Pca

SIGMA_LOW, SIGMA_HIGH = 0.01, 5.0
LOG_MIDDLE = math.log(SIGMA_LOW * SIGMA_HIGH) / 2
LOG_HALF = math.log(SIGMA_HIGH / SIGMA_LOW) / 2


START = [0.0, -2.0, -2.0, -1.5, 0.0]
"""The head's bias before training: two components close together, sigma near 0.15 and 0.22."""


class Layer(nn.Module):  # type: ignore[misc]
    """Pre-norm self-attention and feed-forward, [n, tokens, width] to the same."""

    def __init__(self, config: TrainConfig) -> None:
        super().__init__()
        width = config.width
        self.heads = config.heads
        self.norm_1 = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.norm_2 = nn.LayerNorm(width)
        self.up = nn.Linear(width, config.hidden)
        self.down = nn.Linear(config.hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        count, tokens, width = x.shape
        qkv = self.qkv(self.norm_1(x)).reshape(count, tokens, 3, self.heads, width // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(q, k, v)
        x = x + self.out(mixed.transpose(1, 2).reshape(count, tokens, width))
        return x + self.down(functional.relu(self.up(self.norm_2(x))))


class TTTiny(nn.Module):  # type: ignore[misc]
    """`forward` takes FEATURES [n, 150] and returns MIXTURE [n, 5]."""

    pca_mean: Tensor
    pca_components: Tensor

    def __init__(self, config: TrainConfig, pca: Pca) -> None:
        super().__init__()
        self.config = config
        self.register_buffer("pca_mean", torch.from_numpy(np.array(pca.mean)))
        self.register_buffer("pca_components", torch.from_numpy(np.array(pca.components)))
        self.embed = nn.Linear(COMPONENTS, config.tokens * config.width)
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.layers))
        self.norm = nn.LayerNorm(config.width)
        self.head = nn.Linear(config.tokens * config.width + COMPONENTS, 5)
        nn.init.normal_(self.embed.bias, std=0.5)  # the tokens' places
        nn.init.normal_(self.head.weight, std=0.002)
        with torch.no_grad():
            self.head.bias.copy_(torch.tensor(START))

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def start_linear(self, features: Tensor, label: Tensor, ridge: float = 1e-3) -> None:
        """Begin as the least-squares autoregression: the head's path from the PCA numbers."""
        centred, mean = centre(features)
        reduced = ((centred - self.pca_mean) @ self.pca_components.T).double()
        columns = torch.cat([reduced, torch.ones(len(reduced), 1)], 1)
        square = columns.T @ columns / len(columns) + ridge * torch.eye(COMPONENTS + 1)
        solved = torch.linalg.solve(square, columns.T @ (label - mean).double() / len(columns))
        self.head.weight[0, -COMPONENTS:] = solved[:-1].float()
        gap = functional.softplus(self.head.bias[2])
        self.head.bias[0] = solved[-1].float() - gap / 2  # alpha starts at 1/2

    def forward(self, features: Tensor) -> Tensor:
        centred, mean = centre(features)
        reduced = (centred - self.pca_mean) @ self.pca_components.T
        x = self.embed(reduced).reshape(-1, self.config.tokens, self.config.width)
        for layer in self.layers:
            x = layer(x)
        units = self.head(torch.cat([self.norm(x).flatten(1), reduced], 1))
        return mixture(units, mean)


def centre(features: Tensor) -> tuple[Tensor, Tensor]:
    """`export.bid_predictor.pca.centre` over tensors."""
    past = features[:, PAST]
    mean = past.mean(1)
    parts = [
        features[:, : PAST.start],
        past - mean[:, None],
        torch.zeros_like(mean)[:, None],
        features[:, MEAN + 1 : FEATURES],
    ]
    return torch.cat(parts, 1).clamp(-LIMIT, LIMIT), mean


def mixture(units: Tensor, mean: Tensor) -> Tensor:
    """The head's 5 units as a mixture, put back at its window's level."""
    a, r_1, b, r_2, c = units.unbind(1)
    mu_1 = mean + a
    mu_2 = mu_1 + functional.softplus(b)
    return torch.stack([mu_1, _sigma(r_1), mu_2, _sigma(r_2), torch.sigmoid(c)], 1)


def _sigma(r: Tensor) -> Tensor:
    """exp(r), held smoothly between `SIGMA_LOW` and `SIGMA_HIGH`."""
    return torch.exp(LOG_MIDDLE + LOG_HALF * torch.tanh((r - LOG_MIDDLE) / LOG_HALF))
