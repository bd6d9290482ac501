# SPDX-License-Identifier: Apache-2.0
"""Parity of the ONNX files with the trained network: what the graph and its int8 weights cost."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from torch import Tensor

from bls.brain.features import MEAN, PAST
from export.bid_predictor import graph, lit
from export.bid_predictor.network import TTTiny
from export.bid_predictor.runtime import OnnxForecaster
from export.bid_predictor.scores import score
from export.bid_predictor.windows import Windows

MU, SIGMA = [0, 2], [1, 3]


@dataclass(frozen=True)
class Parity:
    """Largest and mean differences on the same windows; NLL and RMSE are int8 minus f32.

    `shift_sigma` is the largest change of a sigma when every past value rises by 2 (U-07);
    `alone` the largest difference of a row served by itself.
    """

    f32_mu_max: float
    f32_sigma_max: float
    int8_mu_max: float
    int8_mu_mean: float
    int8_sigma_max: float
    int8_sigma_mean: float
    int8_nll: float
    int8_rmse: float
    shift_sigma: float
    alone: float

    def as_dict(self) -> dict[str, float]:
        return asdict(self)


def check(network: TTTiny, windows: Windows) -> Parity:
    """Both ONNX variants against `network` on `windows`."""
    plain = OnnxForecaster(graph.build(network, int8=False).SerializeToString())
    small = OnnxForecaster(graph.build(network, int8=True).SerializeToString())
    return compare(lit.forecast(network, windows), plain, small, windows)


def compare(
    reference: Tensor, plain: OnnxForecaster, small: OnnxForecaster, windows: Windows
) -> Parity:
    """`plain` (f32) and `small` (int8) against the network's own forecast of `windows`."""
    f32, int8 = plain(windows), small(windows)
    first, second = (reference - f32).abs(), (f32 - int8).abs()
    before, after = score(f32, windows.label), score(int8, windows.label)
    return Parity(
        f32_mu_max=float(first[:, MU].max()),
        f32_sigma_max=float(first[:, SIGMA].max()),
        int8_mu_max=float(second[:, MU].max()),
        int8_mu_mean=float(second[:, MU].mean()),
        int8_sigma_max=float(second[:, SIGMA].max()),
        int8_sigma_mean=float(second[:, SIGMA].mean()),
        int8_nll=after.nll - before.nll,
        int8_rmse=after.rmse - before.rmse,
        shift_sigma=shift_of_sigma(small, windows),
        alone=rows_alone(small, windows),
    )


def shift_of_sigma(model: OnnxForecaster, windows: Windows, by: float = 2.0) -> float:
    """Largest change of sigma when the whole history rises by `by`."""
    features = windows.features()
    risen = features.copy()
    risen[:, PAST] += by
    risen[:, MEAN] += by
    return float(np.abs(model.run(features) - model.run(risen))[:, SIGMA].max())


def rows_alone(model: OnnxForecaster, windows: Windows, rows: int = 64) -> float:
    """Largest difference between rows served together and one by one."""
    features = windows.features()[:rows]
    single = np.concatenate([model.run(features[at : at + 1]) for at in range(len(features))])
    return float(np.abs(model.run(features) - single).max())
