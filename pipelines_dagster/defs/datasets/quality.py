# SPDX-License-Identifier: Apache-2.0
"""What must be true of the tables, as functions of their rows. Nothing here knows of Dagster."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from bls.brain.features import W_FLOOR
from bls.contracts import AD_TOKENS
from bls.errors import SkynetError
from bls.limits import LIMITS
from pipelines_dagster.defs.datasets.bids import whole
from pipelines_dagster.defs.datasets.contexts import PLANES
from pipelines_dagster.defs.datasets.gold import HELD, PREDICTOR, TVE
from pipelines_dagster.defs.datasets.recipe import REPLY_S, Recipe
from pipelines_dagster.defs.datasets.validity import MARKS
from pipelines_dagster.defs.market.dataset import load_card, read_table, verify
from pipelines_dagster.lake.lake import PARTITION

BALANCE = 1e-4
"""Relative; the sums are of f32 numbers."""
LATE_SHARE = 0.05
"""Most replies without a receipt that a day may have."""
UNIT = 1e-3

_LOG_W = (math.log(W_FLOOR) - 1e-3, math.log(LIMITS.bidders * LIMITS.bid_max))
_ANY = (0.0, math.inf)
RANGES: dict[str, dict[str, tuple[float, float]]] = {
    "silver/bids": {
        "token_idx": (-1, LIMITS.output_tokens),
        "row": (1, LIMITS.bidders),
        "w_ref": (0, LIMITS.weight_ref_max),
        "w_i": (0, LIMITS.bid_max),
        "log_w": _LOG_W,
    },
    "silver/bid_windows": {"token_idx": (0, LIMITS.output_tokens), "label": _LOG_W},
    "silver/contexts": {"cluster": (0, 2**PLANES - 1)},
    "silver/ads": {"rate": _ANY},
    "silver/tve_samples": {
        "delivered": (0, AD_TOKENS),
        "impressions": (1, math.inf),
        "clicks": _ANY,
        "dwell_ms": _ANY,
        "rate": _ANY,
        "value": _ANY,
    },
    "silver/click_pairs": {"cosine": (-1 - UNIT, 1 + UNIT)},
    "silver/sessions": {"ts_ms": _ANY, "dwell_ms": _ANY},
    "silver/lambda_rewards": {"bucket": (0, 1), "money": _ANY, "reward": (0, 1)},
}
"""Least and greatest value of a column, both allowed."""


@dataclass(frozen=True)
class Finding:
    """`faults`: rows at fault by what is wrong with them; none of them may be above 0."""

    rows: int
    faults: Mapping[str, int] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        return not any(self.faults.values())


def table(rows: pl.LazyFrame, recipe: Recipe, *, needed: bool = True) -> Finding:
    """Schema, rows, nulls, ranges and unique keys of a silver table's rows.

    Args:
        needed: no row at all is a fault.
    """
    found = rows.collect_schema()
    wanted = {n: k for n, k in recipe.columns.items() if n not in MARKS}  # older rows lack those
    changed = [name for name, kind in wanted.items() if found.get(name) != kind]
    if changed:
        return Finding(0, {f"schema: {name}": 1 for name in changed})
    ranges = RANGES[recipe.table]
    told = rows.select(
        pl.len().alias("rows"),
        *(pl.col(n).null_count().alias(f"nulls: {n}") for n in wanted),
        *((~pl.col(n).is_between(*r)).sum().alias(f"range: {n}") for n, r in ranges.items()),
        (pl.len() - pl.struct(PARTITION, *recipe.key).n_unique()).alias("repeated keys"),
    )
    (figures,) = told.collect().to_dicts()
    count = figures.pop("rows")
    return Finding(count, figures | {"no rows": int(needed and not count)})


def balance(bids: pl.LazyFrame) -> Finding:
    """w_minus = w_agg - w_i - w_ref of every `silver/bids` row (offline_orchestration 2.2.1)."""
    off = (pl.col("w_agg") - pl.col("w_i") - pl.col("w_ref") - pl.col("w_minus")).abs()
    wrong = ~(off <= BALANCE * pl.max_horizontal(pl.col("w_agg"), pl.lit(1.0)))
    return _counted(bids, {"weights do not add up": wrong})


def receipts(bids: pl.LazyFrame) -> Finding:
    """Ended replies without a receipt; a fault when their share is above `LATE_SHARE`."""
    replies = bids.group_by("conv_id", "request_id").agg(
        opened=(pl.col("token_idx") == -1).any(), ended=pl.col("ts").max()
    )
    told = replies.filter(pl.col("ended") <= pl.col("ended").max() - REPLY_S).collect()
    late = int((~told["opened"]).sum())
    return Finding(told.height, {"no receipt": late if late > LATE_SHARE * told.height else 0})


def records(tokens: pl.LazyFrame) -> Finding:
    """`bronze/auction_bids` records whose arrays do not fit together; they are left out."""
    count = tokens.select(pl.len()).collect().item()
    return Finding(count, {"torn arrays": count - whole(tokens).select(pl.len()).collect().item()})


def labels(samples: pl.LazyFrame) -> Finding:
    """value = log(1 + clicks) rate, and no more tokens delivered than the ad has."""
    value = pl.col("clicks").log1p() * pl.col("rate")
    wrong = (pl.col("value") - value).abs() > 1e-4 * pl.max_horizontal(value, pl.lit(1.0))
    long = pl.col("delivered") > pl.col("count")
    return _counted(samples, {"label is another": wrong, "delivered more": long})


def unit_norm(rows: pl.LazyFrame, column: str) -> Finding:
    """Vectors of length 1."""
    squares = pl.col(column).list.eval(pl.element() ** 2).list.sum()
    return _counted(rows, {"not of unit norm": (squares - 1).abs() > UNIT})


def training_set(folder: Path, name: str) -> Finding:
    """Both parts of a training set: hashes, columns, rows, and no conversation in both."""
    parts = (folder, folder / HELD)
    wanted = {PREDICTOR: ("contexts", "bids"), TVE: ("contexts", "ads", "tve_samples")}[name]
    faults: dict[str, int] = {}
    rows = 0
    for part in parts:
        try:
            verify(part)
            rows += sum(read_table(part, one).height for one in wanted)
        except SkynetError as fault:
            faults[fault.code] = faults.get(fault.code, 0) + 1
    if not faults and name == PREDICTOR:
        told = [set(_conversations(read_table(part, "bids"))) for part in parts]
        faults["in both parts"] = len(told[0] & told[1])
    if not faults.get("dataset_missing"):
        faults["no lineage"] = int(not load_card(folder).get("lake"))
    return Finding(rows, faults)


def _conversations(bids: pl.DataFrame) -> list[str]:
    return bids["conv_id"].str.replace(r":[^:]*$", "").unique().to_list()


def _counted(rows: pl.LazyFrame, wrong: Mapping[str, pl.Expr]) -> Finding:
    sums = [expression.sum().alias(name) for name, expression in wrong.items()]
    (figures,) = rows.select(pl.len().alias("rows"), *sums).collect().to_dicts()
    return Finding(figures.pop("rows"), figures)
