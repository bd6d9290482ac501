# SPDX-License-Identifier: Apache-2.0
"""Events written straight into the lake's bronze tables, as a version would have caused them."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import polars as pl

from pipelines_dagster.lake.lake import Lake


def write_forecasts(
    lake: Lake, ts: float, name: str, conversations: int, error: float, *, seed: int
) -> None:
    """Bids and decisions of conversations answered by version `name`: the forecast's mean is off
    by a normal error of this size, and its sigma says so."""
    rng = np.random.default_rng(seed)
    tokens = 20
    conv = [f"{name}_{seed}_{i}" for i in range(conversations) for _ in range(tokens)]
    n = len(conv)
    truth = rng.normal(-1.0, 0.4, n)
    mean = truth + rng.normal(0, error, n)
    base = {
        "conv_id": conv,
        "request_id": ["r"] * n,
        "token_idx": pl.Series(list(range(tokens)) * conversations, dtype=pl.Int32),
        "ts": [ts] * n,
        "dt": [datetime.fromtimestamp(ts, UTC).strftime("%Y-%m-%d")] * n,
    }
    w_minus = [[0.0, float(np.exp(x)), 0.01] for x in truth]
    lake.append(
        "bronze/auction_bids",
        pl.DataFrame(base | {"w_minus": pl.Series(w_minus, dtype=pl.List(pl.Float32))}),
    )
    mixture = {"mu1": mean, "s1": [error] * n, "mu2": mean, "s2": [error] * n, "alpha": [0.5] * n}
    row = pl.Series([1] * n, dtype=pl.Int32)
    lake.append(
        "bronze/mpc_decisions", pl.DataFrame(base | mixture | {"row": row, "predictor": [name] * n})
    )


def write_curves(
    lake: Lake, ts: float, name: str, conversations: int, error: float, *, seed: int
) -> None:
    """Feedback and clicks of trajectories: log(1 + clicks) is near 2, V(k) near it by `error`."""
    rng = np.random.default_rng(seed)
    n = conversations
    base = {
        "conv_id": [f"{name}_{seed}_{i}" for i in range(n)],
        "request_id": ["r"] * n,
        "advertiser": ["acme"] * n,
        "ts": [ts] * n,
        "dt": [datetime.fromtimestamp(ts, UTC).strftime("%Y-%m-%d")] * n,
    }
    clicks = rng.integers(5, 9, n)
    v_max = 2 * (np.log1p(clicks) + rng.normal(0, error, n))
    curve = {"v_max": v_max, "a": [1.0] * n, "k_0": [4.0] * n, "spread": [0.1] * n}
    delivered = pl.Series([4] * n, dtype=pl.Int32)
    lake.append(
        "bronze/tve_feedback",
        pl.DataFrame(base | curve | {"delivered": delivered, "tve": [name] * n}),
    )
    lake.append(
        "bronze/click_logs", pl.DataFrame(base | {"clicks": pl.Series(clicks, dtype=pl.Int32)})
    )


def write_replies(lake: Lake, ts: float, conv_ids: list[str], reason: str) -> None:
    """Receipts of replies."""
    n = len(conv_ids)
    day = datetime.fromtimestamp(ts, UTC).strftime("%Y-%m-%d")
    frame = {"conv_id": conv_ids, "finish_reason": [reason] * n, "ts": [ts] * n, "dt": [day] * n}
    lake.append("bronze/e2e_trace", pl.DataFrame(frame))
