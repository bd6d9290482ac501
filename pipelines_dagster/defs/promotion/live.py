# SPDX-License-Identifier: Apache-2.0
"""What two versions did on live traffic, out of the lake's bronze tables.

Predictor: the forecast of every decided row (`mpc.decisions`) against the W_-i that was cleared
(`auction.bids`). Value model: V(k) of the delivered k (`tve.feedback`) against log(1 + clicks)
(`click.logs`). Which version answered is in the event; a reply that failed has no version, so its
arm is the one its conversation's digest belongs to. Models of the shop: `live_shop`.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from datetime import UTC, datetime

import numpy as np
import polars as pl
from numpy.typing import NDArray

from bls.brain.features import W_FLOOR
from bls.models.model_key import AGENT, PREDICTOR, PRICE, TVE
from pipelines_dagster.defs.datasets import validity
from pipelines_dagster.defs.promotion.arms import Arm, Observation, arm_of
from pipelines_dagster.defs.promotion.live_shop import earnings, priced, scored, scores
from pipelines_dagster.lake.lake import PARTITION, Lake

F64 = NDArray[np.float64]

Observe = Callable[[], Observation]

_REPLY = ("conv_id", "request_id")


def observer(
    subsystem: str, lake: Lake, since: float, names: tuple[str, str], share: float
) -> Observe:
    """Reads the lake anew at each call.

    Args:
        since: Unix seconds; earlier events do not count.
        names: first 16 hex digits of champion and challenger, as events carry them.
        share: of the canary.
    """
    rows = {PREDICTOR: _predictor, TVE: _tve, AGENT: _scores, PRICE: _earnings}[subsystem]
    asked = {AGENT: _scored, PRICE: _priced}.get(subsystem, _replies)

    def observe() -> Observation:
        measured = rows(lake, since, names)
        arms = [arm_of(measured.filter(pl.col("arm") == name)) for name in names]
        replies = asked(lake, since, share)
        one, other = (_with(arm, part) for arm, part in zip(arms, replies, strict=True))
        return Observation(one, other, earned=subsystem == PRICE)

    return observe


def in_canary(conv_id: str, share: float) -> bool:
    """Whether a conversation, or a session, is served by the challenger: low 32 bits of its
    digest."""
    digest = hashlib.blake2b(conv_id.encode(), digest_size=8).digest()
    return (int.from_bytes(digest, "little") % 2**32) / 2**32 < share


def _predictor(lake: Lake, since: float, names: tuple[str, str]) -> pl.DataFrame:
    """Rows: arm, conv_id, squared error of the mean, PIT. A lone bidder's W_-i is no forecast."""
    key = (*_REPLY, "token_idx")
    decided = _since(lake, "bronze/mpc_decisions", since)
    cleared = _since(lake, "bronze/auction_bids", since)
    if decided is None or cleared is None:
        return _empty()
    mixture = ("mu1", "s1", "mu2", "s2", "alpha")
    joined = (
        decided.filter(pl.col("predictor").is_in(list(names)))
        .select(*key, "row", *mixture, pl.col("predictor").alias("arm"))
        .join(cleared.select(*key, "w_minus"), on=list(key))
        .with_columns(pl.col("w_minus").list.get(pl.col("row"), null_on_oob=True).alias("w"))
        .filter(pl.col("w") > W_FLOOR)
        .with_columns(pl.col("w").cast(pl.Float64).log().alias("label"))
        .filter(pl.all_horizontal(pl.col(*mixture, "label").is_finite()))
        .select("arm", "conv_id", "label", *mixture)
        .collect()
    )
    columns = [joined[name].to_numpy() for name in (*mixture, "label")]
    mu1, s1, mu2, s2, alpha, label = (np.asarray(c, np.float64) for c in columns)
    mean = alpha * mu1 + (1 - alpha) * mu2
    pit = alpha * _below(label, mu1, s1) + (1 - alpha) * _below(label, mu2, s2)
    return joined.select("arm", "conv_id").with_columns(
        pl.Series("squared", (label - mean) ** 2), pl.Series("pit", pit)
    )


def _tve(lake: Lake, since: float, names: tuple[str, str]) -> pl.DataFrame:
    """Rows: arm, conv_id, predicted, label, squared error, of trajectories that were begun."""
    fed = _since(lake, "bronze/tve_feedback", since)
    clicked = _since(lake, "bronze/click_logs", since)
    if fed is None or clicked is None:
        return _empty()
    key = (*_REPLY, "advertiser")
    told = clicked.select(*key, "ts", "clicks", *validity.marks_of(clicked)).sort("ts")
    last = told.group_by(*key).agg(pl.col("clicks", *validity.MARKS).last())
    clicks = validity.learned(last).drop(*validity.MARKS)
    value = pl.col("v_max") / (1 + (pl.col("a") * (pl.col("k_0") - pl.col("delivered"))).exp())
    return (
        fed.filter(pl.col("tve").is_in(list(names)) & (pl.col("delivered") > 0))
        .join(clicks, on=list(key))
        .with_columns(value.alias("predicted"), pl.col("clicks").log1p().alias("label"))
        .filter(pl.col("predicted").is_finite())
        .select(
            pl.col("tve").alias("arm"),
            "conv_id",
            "predicted",
            "label",
            ((pl.col("predicted") - pl.col("label")) ** 2).alias("squared"),
        )
        .collect()
    )


def _replies(lake: Lake, since: float, share: float) -> list[tuple[int, int]]:
    """(replies, failed) of champion and challenger, by the conversations' digests."""
    ended = _since(lake, "bronze/e2e_trace", since)
    if ended is None:
        return [(0, 0), (0, 0)]
    rows = ended.select("conv_id", (pl.col("finish_reason") == "error").alias("failed")).collect()
    return _by_arm(rows, share)


def _by_arm(rows: pl.DataFrame, share: float) -> list[tuple[int, int]]:
    """(rows, failed) of champion and challenger, of rows with `conv_id` and `failed`."""
    challenger = np.array([in_canary(name, share) for name in rows["conv_id"]], bool)
    failed = rows["failed"].to_numpy()
    return [(int(part.sum()), int(failed[part].sum())) for part in (~challenger, challenger)]


def _scores(lake: Lake, since: float, names: tuple[str, str]) -> pl.DataFrame:
    acts = _since(lake, "bronze/session_events", since)
    return _empty() if acts is None else scores(acts, names)


def _scored(lake: Lake, since: float, share: float) -> list[tuple[int, int]]:
    acts = _since(lake, "bronze/session_events", since)
    return [(0, 0), (0, 0)] if acts is None else _by_arm(scored(acts), share)


def _earnings(lake: Lake, since: float, names: tuple[str, str]) -> pl.DataFrame:
    acts = _since(lake, "bronze/session_events", since)
    shown = _since(lake, "bronze/session_prices", since)
    return _empty() if acts is None or shown is None else earnings(acts, shown, names)


def _priced(lake: Lake, since: float, share: float) -> list[tuple[int, int]]:
    shown = _since(lake, "bronze/session_prices", since)
    return [(0, 0), (0, 0)] if shown is None else _by_arm(priced(shown), share)


def _with(arm: Arm, replies: tuple[int, int]) -> Arm:
    kept = (arm.rows, arm.conversations, arm.mse, arm.variance, arm.ks, arm.calibration)
    return Arm(*kept, *replies)


def _since(lake: Lake, table: str, since: float) -> pl.LazyFrame | None:
    if lake.open(table) is None:
        return None
    day = datetime.fromtimestamp(since, UTC).strftime("%Y-%m-%d")
    return lake.scan(table).filter((pl.col(PARTITION) >= day) & (pl.col("ts") >= since))


def _empty() -> pl.DataFrame:
    return pl.DataFrame(schema={"arm": pl.String, "conv_id": pl.String, "squared": pl.Float64})


def _below(value: F64, mean: F64, sd: F64) -> F64:
    """Phi((value - mean) / sd)."""
    z = (value - mean) / np.maximum(sd, 1e-9) / math.sqrt(2)
    found: F64 = 0.5 * (1 + _erf(z))
    return found


def _erf(z: F64) -> F64:
    """Within 1.5e-7. Source: Abramowitz and Stegun 7.1.26."""
    t = 1 / (1 + 0.3275911 * np.abs(z))
    poly = t * (
        0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429)))
    )
    found: F64 = np.sign(z) * (1 - poly * np.exp(-(z**2)))
    return found
