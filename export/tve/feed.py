# SPDX-License-Identifier: Apache-2.0
"""Batches as tensors. An ad that many samples of a batch share is there once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import IterableDataset

from export.tve.config import TveConfig
from export.tve.data import Samples, batches


@dataclass  # not frozen: Lightning refuses those
class Batch:
    """ctx [n, 128], ids and mask [u, L], ad_vec [u, 128]; which, k, label and pair [n]."""

    ctx: Tensor
    ids: Tensor
    mask: Tensor
    ad_vec: Tensor
    which: Tensor
    k: Tensor
    label: Tensor


def gather(samples: Samples, rows: NDArray[Any]) -> Batch:
    """The batch of these rows, its token axis cut to the longest ad in it."""
    ads, which = np.unique(samples.of_ad[rows], return_inverse=True)
    mask = samples.mask[ads]
    longest = max(int(mask.sum(1).max()), 1)
    return Batch(
        ctx=torch.from_numpy(samples.ctx[samples.of_ctx[rows]]),
        ids=torch.from_numpy(samples.ids[ads, :longest]),
        mask=torch.from_numpy(mask[:, :longest]),
        ad_vec=torch.from_numpy(samples.ad_vec[ads]),
        which=torch.from_numpy(which.astype(np.int64)),
        k=torch.from_numpy(samples.k[rows]),
        label=torch.from_numpy(samples.label[rows]),
    )


class Feed(IterableDataset[Batch]):  # type: ignore[misc]
    """An epoch of batches, reshuffled each time it is read; the seed decides all of them."""

    def __init__(self, samples: Samples, config: TveConfig, seed: int) -> None:
        self._samples = samples
        self._config = config
        self._rng = np.random.default_rng(seed)

    def __iter__(self) -> Iterator[Batch]:
        config = self._config
        for rows in batches(self._samples, config.batch, config.group, self._rng):
            yield gather(self._samples, rows)

    def count(self) -> int:
        """Batches of an epoch."""
        return max(len(self._samples) // self._config.batch, 1)
