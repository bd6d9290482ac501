# SPDX-License-Identifier: Apache-2.0
"""Training batches: windows drawn without replacement, features built as served.

Some rows are stretched: past and label move away from the window's mean by one factor, so that the
spread of a forecast is read off its window, whatever market it comes from. Some histories are then
corrupted (`corrupt`). Some contexts are replaced by a random direction: a deployment's encoder is
not the simulator's, and a forecast must not hang on where its axes point.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import IterableDataset

from bls.contracts import CTX
from export.bid_predictor import corrupt
from export.bid_predictor.config import TrainConfig
from export.bid_predictor.windows import Windows

Batch = tuple[Tensor, Tensor]

STRETCH = (0.7, 1.8)


class Batches(IterableDataset[Batch]):  # type: ignore[misc]
    """`steps` batches of (features [n, 150], label [n]); the same seed gives the same batches."""

    def __init__(self, windows: Windows, config: TrainConfig, seed: int) -> None:
        self._windows = windows
        self._config = config
        self._size = min(config.batch, len(windows))
        self._steps = config.pretrain_steps + config.steps
        self._seed = seed

    def __len__(self) -> int:
        return self._steps

    def __iter__(self) -> Iterator[Batch]:
        rng = np.random.default_rng(self._seed)
        rows = np.empty(0, np.int64)
        for _ in range(self._steps):
            if len(rows) < self._size:
                rows = rng.permutation(len(self._windows))
            taken, rows = rows[: self._size], rows[self._size :]
            part = stretched(self._windows.take(taken), rng, self._config.stretched)
            part = replace(part, past=corrupt.mixed(part.past, rng, self._config.corrupted))
            features, label = tensors(part)
            _strange_contexts(features, rng, self._config.strange_contexts)
            yield features, label


def tensors(windows: Windows) -> Batch:
    """Every row at once."""
    label = torch.from_numpy(windows.label.astype(np.float32))
    return torch.from_numpy(windows.features()), label


def stretched(windows: Windows, rng: np.random.Generator, share: float) -> Windows:
    """A `share` of the rows with distances from the window's mean times a factor in `STRETCH`."""
    low, high = STRETCH
    factor = np.exp(rng.uniform(np.log(low), np.log(high), len(windows)))
    factor = np.where(rng.random(len(windows)) < share, factor, 1.0)
    mean = windows.past.mean(axis=1)
    past = mean[:, None] + factor[:, None] * (windows.past - mean[:, None])
    return replace(windows, past=past, label=mean + factor * (windows.label - mean))


def _strange_contexts(features: Tensor, rng: np.random.Generator, share: float) -> None:
    """A `share` of the rows get a random unit vector for their context, in place."""
    rows = np.flatnonzero(rng.random(len(features)) < share)
    vectors = rng.standard_normal((len(rows), CTX), np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    features[rows, :CTX] = torch.from_numpy(vectors)
