# SPDX-License-Identifier: Apache-2.0
"""What TT-Tiny has to beat: one log-normal, an EWMA and the seed's Bi-GRU, on the same windows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from bls.brain.features import PAST, POSITION
from bls.contracts import CTX, WINDOW
from export.bid_predictor.lit import forecast
from export.bid_predictor.network import START, centre, mixture
from export.bid_predictor.windows import Windows


class Model(Protocol):
    """Anything that forecasts windows."""

    def __call__(self, windows: Windows) -> Tensor:
        """MIXTURE [n, 5]."""
        ...


@dataclass(frozen=True)
class LogNormal:
    """log W ~ N(window mean + shift, sigma^2): one shift and one sigma for all."""

    shift: float
    sigma: float

    @classmethod
    def fit(cls, windows: Windows) -> LogNormal:
        residual = windows.label - windows.past.mean(1)
        return cls(float(residual.mean()), float(residual.std()))

    def __call__(self, windows: Windows) -> Tensor:
        return single(windows.past.mean(1) + self.shift, self.sigma)


@dataclass(frozen=True)
class Ewma:
    """Exponentially weighted mean of the window; `decay` fitted to the least squared error."""

    decay: float
    shift: float
    sigma: float

    @classmethod
    def fit(cls, windows: Windows) -> Ewma:
        tried = []
        for decay in np.linspace(0, 0.98, 50):
            residual = windows.label - windows.past @ _weights(float(decay))
            tried.append((float(residual.std()), float(residual.mean()), float(decay)))
        sigma, shift, decay = min(tried)
        return cls(decay, shift, sigma)

    def __call__(self, windows: Windows) -> Tensor:
        return single(windows.past @ _weights(self.decay) + self.shift, self.sigma)


class BiGru(nn.Module):  # type: ignore[misc]
    """A bidirectional GRU of 32 units a side over the centred window, its two last states beside
    a 32-unit reading of context and position, the same 5-unit head as TT-Tiny's."""

    def __init__(self, units: int = 32) -> None:
        super().__init__()
        self.gru = nn.GRU(1, units, batch_first=True, bidirectional=True)
        self.side = nn.Linear(CTX + 4, units)
        self.head = nn.Linear(3 * units, 5)
        with torch.no_grad():
            self.head.weight.mul_(0.1)
            self.head.bias.copy_(torch.tensor(START))

    def forward(self, features: Tensor) -> Tensor:
        centred, mean = centre(features)
        _, last = self.gru(centred[:, PAST, None])
        side = torch.relu(self.side(torch.cat([centred[:, :CTX], centred[:, POSITION]], 1)))
        return mixture(self.head(torch.cat([last[0], last[1], side], 1)), mean)


@dataclass(frozen=True)
class Neural:
    """A trained network as a `Model`."""

    network: nn.Module

    def __call__(self, windows: Windows) -> Tensor:
        return forecast(self.network, windows)


def single(mu: NDArray[np.float64], sigma: float) -> Tensor:
    """One Gaussian written as a mixture of two equal ones."""
    centre_ = torch.from_numpy(mu)
    spread = torch.full_like(centre_, max(sigma, 1e-6))
    half = torch.full_like(centre_, 0.5)
    return torch.stack([centre_, spread, centre_, spread, half], 1)


def _weights(decay: float) -> NDArray[np.float64]:
    powers = decay ** np.arange(WINDOW - 1, -1, -1.0)
    weights: NDArray[np.float64] = powers / powers.sum()
    return weights
