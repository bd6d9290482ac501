# SPDX-License-Identifier: Apache-2.0
"""Live figures per version, out of real tables."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from pipelines_dagster.lake.lake import Lake
from pipelines_dagster.loop.live import BIDS, DECISIONS, observe

COUNT = 400


def tables(lake: Lake, biases: dict[str, float], sd: float = 0.1) -> None:
    """Two versions' forecasts, one after the other; row 2 of three is the one decided."""
    rng = np.random.default_rng(3)
    decisions, bids = [], []
    for number, (version, bias) in enumerate(biases.items()):
        for index in range(COUNT):
            mean = float(rng.normal(0, 0.5))
            log_w = mean + bias + float(rng.normal(0, sd))
            key = {"conv_id": f"c{number}", "request_id": "r", "token_idx": index}
            decisions.append(
                {
                    **key,
                    "dt": "2026-11-22",
                    "ts": 1_000.0 + 100 * number + index / 10,
                    "row": 2,
                    "predictor": version,
                    **{"mu1": mean, "s1": sd, "mu2": mean, "s2": sd, "alpha": 0.5},
                }
            )
            w = float(np.exp(log_w))
            bids.append({**key, "dt": "2026-11-22", "w_minus": [9.0, 9.0, w]})
    lake.append(DECISIONS, pl.DataFrame(decisions))
    lake.append(BIDS, pl.DataFrame(bids))


def test_each_version_by_itself(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    tables(lake, {"aa": 0.4, "bb": 0.0})
    found = observe(lake, slice_s=20.0)
    weak, good = found.versions["aa"], found.versions["bb"]
    assert weak.rows == good.rows == COUNT
    assert weak.rmse == pytest.approx(np.hypot(0.4, 0.1), rel=0.05)
    assert weak.bias == pytest.approx(0.4, abs=0.02)
    assert good.rmse == pytest.approx(0.1, rel=0.1)
    assert good.ks < 0.08
    assert weak.ks > 0.9
    assert [point.version for point in found.points] == ["aa", "aa", "bb", "bb"]
    assert found.points[0].ts == 1_000.0


def test_forecasts_of_nobody_and_tokens_not_cleared_do_not_count(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    tables(lake, {"": 0.0, "aa": 0.0})
    more = lake.scan(DECISIONS).filter(pl.col("predictor") == "aa").collect()
    lake.append(DECISIONS, more.with_columns(conv_id=pl.lit("not cleared")))
    lake.append(DECISIONS, more.with_columns(mu1=pl.lit(float("nan"))))
    found = observe(lake)
    assert list(found.versions) == ["aa"]
    assert found.versions["aa"].rows == COUNT


def test_nothing_yet(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    assert observe(lake).versions == {}
    tables(lake, {"": 0.0})
    assert observe(lake).versions == {}
