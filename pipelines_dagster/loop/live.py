# SPDX-License-Identifier: Apache-2.0
"""How good each version of the predictor is live: what it forecast, beside what the auction told.

Every decided row of `bronze/mpc_decisions` has its mixture and who made it; `bronze/auction_bids`
has the true W_-i of the same token and row. Joined, they give RMSE and KS by version and by time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import sqrt

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray

from bls.brain.features import log_weight
from export.bid_predictor.scores import ks_uniform, pit
from pipelines_dagster.lake.lake import Lake

F64 = NDArray[np.float64]

DECISIONS, BIDS = "bronze/mpc_decisions", "bronze/auction_bids"
TOKEN = ("conv_id", "request_id", "token_idx")
_MIXTURE = ("mu1", "s1", "mu2", "s2", "alpha")


@dataclass(frozen=True)
class LiveMetric:
    """Of one version's forecasts of log W_-i.

    Attributes:
        bias: mean of truth minus forecast.
        ks: distance of the probability integral transform from uniform, sup |F(u) - u|.
    """

    rows: int
    rmse: float
    bias: float
    ks: float


@dataclass(frozen=True)
class Point:
    """RMSE of one version in one slice of time; `ts` is where the slice begins, Unix seconds."""

    ts: float
    version: str
    rows: int
    rmse: float


@dataclass(frozen=True)
class Observed:
    """By the first 16 hex digits of a version's SHA-256; `points` in the order of time."""

    versions: Mapping[str, LiveMetric] = field(default_factory=dict)
    points: tuple[Point, ...] = ()


def observe(lake: Lake, slice_s: float = 10.0) -> Observed:
    """Everything decided so far whose token has been cleared."""
    if lake.open(DECISIONS) is None or lake.open(BIDS) is None:
        return Observed()
    return measure(
        lake.scan(DECISIONS).select(*TOKEN, "ts", "row", "predictor", *_MIXTURE).collect(),
        lake.scan(BIDS).select(*TOKEN, "w_minus").collect(),
        slice_s,
    )


def measure(decisions: pl.DataFrame, bids: pl.DataFrame, slice_s: float) -> Observed:
    """Rows whose forecast was made by a named version; held and blind ones are nobody's."""
    joined = (
        decisions.filter(pl.col("predictor") != "")
        .filter(pl.all_horizontal(pl.col(_MIXTURE).is_finite()))
        .join(bids, on=TOKEN, how="inner")
        .with_columns(w=pl.col("w_minus").list.get(pl.col("row"), null_on_oob=True))
        .drop_nulls("w")
        .sort("ts")
    )
    if joined.is_empty():
        return Observed()
    mixture = joined.select(_MIXTURE).to_numpy()
    truth = log_weight(joined["w"].to_numpy())
    error = truth - mixture[:, 4] * mixture[:, 0] - (1 - mixture[:, 4]) * mixture[:, 2]
    scored = joined.select("ts", "predictor").with_columns(
        error=pl.Series(error), pit=pl.Series(pit(torch.from_numpy(mixture), truth))
    )
    versions = {}
    for (version,), rows in scored.group_by("predictor", maintain_order=True):
        versions[str(version)] = _metric(rows["error"].to_numpy(), rows["pit"].to_numpy())
    return Observed(versions, _points(scored, slice_s))


def _metric(error: F64, probability: F64) -> LiveMetric:
    rmse = sqrt(float(np.mean(error**2)))
    return LiveMetric(len(error), rmse, float(np.mean(error)), ks_uniform(probability))


def _points(scored: pl.DataFrame, slice_s: float) -> tuple[Point, ...]:
    first = float(scored["ts"][0])
    found = (
        scored.with_columns(at=((pl.col("ts") - first) / slice_s).floor())
        .group_by("at", "predictor")
        .agg(rows=pl.len(), rmse=(pl.col("error") ** 2).mean().sqrt())
        .sort("at", "predictor")
    )
    return tuple(
        Point(first + row["at"] * slice_s, row["predictor"], row["rows"], row["rmse"])
        for row in found.iter_rows(named=True)
    )
