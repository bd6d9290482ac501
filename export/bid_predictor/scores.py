# SPDX-License-Identifier: Apache-2.0
"""How good a forecast of log W_-i is: RMSE, NLL, CRPS, and the KS distance of its PIT."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from export.bid_predictor import mixture

F64 = NDArray[np.float64]


@dataclass(frozen=True)
class Scores:
    """Over `rows` labels: `ks` is the Kolmogorov-Smirnov distance of the PIT from uniform."""

    rows: int
    rmse: float
    nll: float
    crps: float
    ks: float

    def as_dict(self) -> dict[str, float]:
        return {key: float(value) for key, value in asdict(self).items()}


def score(forecast: Tensor, label: F64) -> Scores:
    """Scores of MIXTURE [n, 5] against log W [n]."""
    rows, truth = forecast.double(), torch.from_numpy(label)
    error = mixture.mean(rows) - truth
    return Scores(
        rows=len(label),
        rmse=float(error.square().mean().sqrt()),
        nll=float(mixture.negative_log_likelihood(rows, truth).mean()),
        crps=float(mixture.crps(rows, truth).mean()),
        ks=ks_uniform(pit(forecast, label)),
    )


def pit(forecast: Tensor, label: F64) -> F64:
    """The probability integral transform of each label: uniform when the forecast is calibrated."""
    values: F64 = mixture.cdf(forecast.double(), torch.from_numpy(label)).numpy()
    return values


def ks_uniform(values: F64) -> float:
    """sup |ECDF(u) - u|."""
    ordered = np.sort(values)
    steps = np.arange(len(ordered) + 1) / len(ordered)
    return float(max(np.max(steps[1:] - ordered), np.max(ordered - steps[:-1])))


def ks_between(first: F64, second: F64) -> float:
    """sup of the difference of two empirical distributions."""
    grid = np.concatenate([first, second])
    below_1 = np.searchsorted(np.sort(first), grid, side="right") / len(first)
    below_2 = np.searchsorted(np.sort(second), grid, side="right") / len(second)
    return float(np.max(np.abs(below_1 - below_2)))
