# SPDX-License-Identifier: Apache-2.0
"""Training batches: windows drawn without replacement, some corrupted, features built as served."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import IterableDataset

from export.bid_predictor import corrupt
from export.bid_predictor.windows import Windows

Batch = tuple[Tensor, Tensor]


class Batches(IterableDataset[Batch]):
    """`steps` batches of (features [n, 150], label [n]); the same seed gives the same batches."""

    def __init__(self, windows: Windows, size: int, steps: int, share: float, seed: int) -> None:
        self._windows = windows
        self._size = min(size, len(windows))
        self._steps = steps
        self._share = share
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
            part = self._windows.take(taken)
            part = replace(part, past=corrupt.mixed(part.past, rng, self._share))
            yield tensors(part)


def tensors(windows: Windows) -> Batch:
    """Every row at once."""
    label = torch.from_numpy(windows.label.astype(np.float32))
    return torch.from_numpy(windows.features()), label
