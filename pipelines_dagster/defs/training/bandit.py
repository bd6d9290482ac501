# SPDX-License-Identifier: Apache-2.0
"""`models/lambda_bandit`: how much similarity counts against value, by Thompson sampling.

Reward of a choice is money; a Beta posterior takes [0, 1], so money is divided by a cap that runs
with the window: the 99th percentile of what clicked choices earned in it. Posterior of a bucket:
a = 1 + sum r, b = 1 + sum (1 - r). A bucket's weight is the chance that one sample per bucket has
its own on top, which is how often Thompson sampling plays it. Source: max_reward_optimizer 3.2,
corrections (max-reward optimiser) 1. The posterior is made anew from the window every night, so a
deleted row leaves no trace in it.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from bls.errors import SkynetError
from pipelines_dagster.defs.datasets import validity
from pipelines_dagster.defs.training.trainer import Job, Made, Trainer
from pipelines_dagster.defs.training.values import write_value

TABLE = "silver/lambda_rewards"
BUCKETS = tuple(round(0.1 * k, 1) for k in range(1, 10))
WINDOW_S = 30 * 86_400
"""`mro.select` is kept for 30 days."""
CAP_QUANTILE = 0.99
_DRAWS = 20_000

F64 = NDArray[np.float64]


def posterior(rewards: pl.DataFrame) -> tuple[F64, F64, float]:
    """(a [9], b [9], cap) of rows with `bucket` and `money`; rows of other buckets are left out."""
    rows = rewards.with_columns(pl.col("bucket").round(1)).filter(pl.col("bucket").is_in(BUCKETS))
    earned = rows["money"].filter(rows["money"] > 0)
    cap = float(earned.quantile(CAP_QUANTILE) or 0.0) if len(earned) else 0.0
    share = (pl.col("money") / cap).clip(0, 1) if cap else pl.lit(0.0)
    sums = rows.group_by("bucket").agg(share.sum().alias("reward"), pl.len().alias("n"))
    told = {row["bucket"]: (row["reward"], row["n"]) for row in sums.to_dicts()}
    reward, count = np.array([told.get(k, (0.0, 0)) for k in BUCKETS], np.float64).T
    return 1 + reward, 1 + count - reward, cap


def weights(a: F64, b: F64, seed: int) -> F64:
    """[9], how often each bucket is played; they sum to 1."""
    drawn = np.random.default_rng(seed).beta(a, b, (_DRAWS, len(a)))
    return np.bincount(drawn.argmax(axis=1), minlength=len(a)) / _DRAWS


def value(rewards: pl.DataFrame, seed: int) -> dict[str, Any]:
    """`/mro/lambda`: the bucket played most, and what a server needs to draw for itself."""
    a, b, cap = posterior(rewards)
    played = weights(a, b, seed)
    best = BUCKETS[int(played.argmax())]
    return {
        "lambda_sem": best,
        "lambda_val": round(1 - best, 1),
        "cap": cap,
        "weights": dict(zip(map(str, BUCKETS), played.tolist(), strict=True)),
        "posteriors": {str(k): [float(x), float(y)] for k, x, y in zip(BUCKETS, a, b, strict=True)},
    }


def run(job: Job) -> Made:
    """Raises `no_data` without a row in the window."""
    if job.lake.open(TABLE) is None:
        raise SkynetError("no_data", "The lake has no choices to learn from.", 409)
    since = time.time() - WINDOW_S
    recent = job.lake.scan(TABLE).filter(pl.col("ts") >= since)
    rows = validity.learned(recent).select("bucket", "money").collect()
    if rows.is_empty():
        raise SkynetError("no_data", "The lake has no recent choices to learn from.", 409)
    found = value(rows, job.seed)
    metrics = {f"weight_{k}": w for k, w in found["weights"].items()} | {"rows": float(len(rows))}
    left = validity.left_out(recent)
    metrics[validity.LEFT_OUT] = float(left)
    version = _version(job)
    origin = hashlib.sha256(f"{TABLE} {version}".encode()).hexdigest()
    folder = write_value(
        job.out / "model", "lambda_bandit", found, metrics=metrics, origin=origin, seed=job.seed
    )
    params = {"table": TABLE, "table_version": version, "window_s": WINDOW_S}
    return Made(folder, metrics, params | {validity.LEFT_OUT: left})


def _version(job: Job) -> int:
    table = job.lake.open(TABLE)
    return 0 if table is None else int(table.version())


def weights_of(found: Mapping[str, Any]) -> list[float] | None:
    """The weights in a value, in the buckets' order; None when one is missing."""
    told = found.get("weights")
    if not isinstance(told, Mapping) or set(told) != set(map(str, BUCKETS)):
        return None
    return [float(told[str(k)]) for k in BUCKETS]


TRAINER = Trainer("lambda", run, gold="", sla_s=3600)
