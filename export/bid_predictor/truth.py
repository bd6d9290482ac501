# SPDX-License-Identifier: Apache-2.0
"""What the simulator knows and no model sees: the law of each label. For evaluation only."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from export.bid_predictor.windows import F64, KEY
from export.errors import ExportError
from pipelines_dagster.defs.market.dataset import read_table


@dataclass(frozen=True)
class Truth:
    """Rows as in `load_windows` of the same folder."""

    mean: F64  # of the label given the whole latent state before it
    sd: F64
    scenario: NDArray[Any]

    def take(self, rows: NDArray[Any]) -> Truth:
        return Truth(self.mean[rows], self.sd[rows], self.scenario[rows])

    def irreducible(self) -> float:
        """RMSE of a forecaster that knows the latent state: sqrt(mean sd^2)."""
        return float(np.sqrt(np.mean(self.sd**2)))

    def off_mean(self, forecast: F64) -> float:
        """RMSE of a forecast against the true mean: what a better model could still gain."""
        return float(np.sqrt(np.mean((forecast - self.mean) ** 2)))


def load_truth(dataset: Path, rows: int) -> Truth:
    """The truth of a dataset's `rows` windows. Raises `ExportError` `dataset_invalid`."""
    table = read_table(dataset, "truth/bids")
    table = table.filter(pl.col("token_idx") >= 0).sort(*KEY)
    if len(table) != rows:
        raise ExportError("dataset_invalid", f"expected {rows} rows of truth, got {len(table)}")
    return Truth(
        mean=table["mean_log_w"].to_numpy().astype(np.float64),
        sd=table["sd_log_w"].to_numpy().astype(np.float64),
        scenario=table["scenario"].to_numpy(),
    )
