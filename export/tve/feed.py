# SPDX-License-Identifier: Apache-2.0
"""Batches as tensors. An ad or a pair that many samples of a batch share is there once."""

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
from export.tve.model import DualTower


@dataclass  # not frozen: Lightning refuses those
class Batch:
    """n samples of p pairs of u ads.

    Attributes:
        ids, mask: [u, L]; ad_vec: [u, 128].
        ctx: [p, 128]; which: [p], each pair's ad.
        pair, k, label: [n]; told: [n, 4], a teacher's curves, or [n, 0].
    """

    ctx: Tensor
    ids: Tensor
    mask: Tensor
    ad_vec: Tensor
    which: Tensor
    pair: Tensor
    k: Tensor
    label: Tensor
    told: Tensor


def gather(samples: Samples, rows: NDArray[Any], told: Tensor | None = None) -> Batch:
    """The batch of these rows, its token axis cut to the longest ad in it.

    Args:
        told: a teacher's curve of every sample.
    """
    width = len(samples.ctx)
    keys, pair = np.unique(samples.of_ad[rows] * width + samples.of_ctx[rows], return_inverse=True)
    ads, which = np.unique(keys // width, return_inverse=True)
    mask = samples.mask[ads]
    longest = max(int(mask.sum(1).max()), 1)
    return Batch(
        ctx=torch.from_numpy(samples.ctx[keys % width]),
        ids=torch.from_numpy(samples.ids[ads, :longest]),
        mask=torch.from_numpy(mask[:, :longest]),
        ad_vec=torch.from_numpy(samples.ad_vec[ads]),
        which=torch.from_numpy(which.astype(np.int64)),
        pair=torch.from_numpy(pair.astype(np.int64)),
        k=torch.from_numpy(samples.k[rows]),
        label=torch.from_numpy(samples.label[rows]),
        told=torch.empty(len(rows), 0) if told is None else told[torch.from_numpy(rows)],
    )


class Feed(IterableDataset[Batch]):  # type: ignore[misc]
    """An epoch of batches, reshuffled each time it is read; the seed decides all of them."""

    def __init__(
        self, samples: Samples, config: TveConfig, seed: int, told: Tensor | None = None
    ) -> None:
        self._samples = samples
        self._told = told
        self._config = config
        self._rng = np.random.default_rng(seed)

    def __iter__(self) -> Iterator[Batch]:
        config = self._config
        for rows in batches(self._samples, config.batch, config.group, self._rng):
            yield gather(self._samples, rows, self._told)

    def count(self) -> int:
        """Batches of an epoch."""
        return max(len(self._samples) // self._config.batch, 1)


@torch.no_grad()  # type: ignore[untyped-decorator]
def teach(teacher: DualTower, samples: Samples, batch: int = 1024) -> Tensor:
    """The teacher's curve [n, 4] of every sample, the same for a pair wherever it is."""
    found = torch.empty(len(samples), 4)
    by_ad = np.argsort(samples.of_ad, kind="stable")
    for start in range(0, len(by_ad), batch):
        rows = by_ad[start : start + batch]
        part = gather(samples, rows)
        curve = teacher.of_pairs(part.ctx, part.ids, part.mask, part.which)
        found[torch.from_numpy(rows)] = curve[part.pair]
    return found
