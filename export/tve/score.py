# SPDX-License-Identifier: Apache-2.0
"""How good curves are: against labels, and, where a simulator knows it, against the truth."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray

from bls.contracts import AD_TOKENS
from export.tve.data import Samples, worlds

F64 = NDArray[np.float64]


@dataclass(frozen=True)
class Score:
    """`crps` and `rmse` are in units of the label's standard deviation."""

    r2: float
    rmse: float
    crps: float
    rows: int


def value_at(curve: NDArray[np.float32], k: NDArray[np.int64]) -> F64:
    """V(k) of curves [n, 3 or more] at k [n]."""
    v_max, a, k_0 = (curve[:, place].astype(np.float64) for place in range(3))
    found: F64 = v_max / (1 + np.exp(np.clip(a * (k_0 - k), -80, 80)))
    return found


def values(curve: NDArray[np.float32]) -> F64:
    """V(1) .. V(48) of curves [n, 3 or more]: [n, 48]."""
    k = np.arange(1, AD_TOKENS + 1)
    every = [value_at(curve, np.full(len(curve), one)) for one in k]
    return np.stack(every, axis=1)


def r2(predicted: F64, label: NDArray[np.float32]) -> float:
    """Share of the label's variance that is explained; negative when worse than its mean.

    NaN where labels do not vary.
    """
    y = label.astype(np.float64)
    total = np.sum((y - y.mean()) ** 2)
    return float(1 - np.sum((y - predicted) ** 2) / total) if total > 0 else float("nan")


def crps_log_normal(mean: F64, sd: F64, observed: F64) -> F64:
    """Exact CRPS of a log-normal of this mean and sd. Source: Baran and Lerch 2015, appendix A."""
    m, s, y = (torch.from_numpy(np.ascontiguousarray(v)) for v in (mean, sd, observed))
    sigma = torch.log1p((s / m) ** 2).sqrt().clamp(min=1e-9)
    mu = m.log() - sigma**2 / 2
    log_y = y.clamp(min=1e-12).log()
    below = torch.special.ndtr((log_y - mu) / sigma)
    shifted = torch.special.ndtr((log_y - mu) / sigma - sigma)
    found = y * (2 * below - 1) - 2 * m * (shifted + torch.special.ndtr(sigma / 2**0.5) - 1)
    return np.asarray(found.numpy(), np.float64)


def score(curve: NDArray[np.float32], samples: Samples) -> Score:
    """Of curves f32 [n, 4], one a row of `samples`."""
    predicted = value_at(curve, samples.k)
    spread = curve[:, 3] * np.sqrt(predicted / curve[:, 0])
    label = samples.label.astype(np.float64)
    sd = label.std()
    return Score(
        r2=r2(predicted, samples.label),
        rmse=float(np.sqrt(np.mean((label - predicted) ** 2)) / sd),
        crps=float(crps_log_normal(predicted, spread, label).mean() / sd),
        rows=len(samples),
    )


def true_curves(dataset: Path, samples: Samples) -> NDArray[np.float32]:
    """The simulator's own parameters [n, 3] of each row. Only reports read this."""
    tables = [
        pl.read_parquet(world / "truth" / "tve.parquet").with_columns(
            pl.lit(number, pl.Int64).alias("world"),
            pl.col("ctx_id", "ad_id").cast(pl.Int64),
        )
        for number, world in enumerate(worlds(dataset))
    ]
    keys = pl.DataFrame(samples.keys, schema=["world", "ctx_id", "ad_id"], orient="row")
    joined = keys.join(
        pl.concat(tables), on=["world", "ctx_id", "ad_id"], how="left", maintain_order="left"
    )
    return joined.select("v_max", "a", "k_0").to_numpy().astype(np.float32)
