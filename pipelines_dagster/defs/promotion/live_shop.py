# SPDX-License-Identifier: Apache-2.0
"""What two versions of a model of the shop did, session by session.

`agent_score`: f(tau) of `session.events` against who the session is known to have been, where that
is known. `session_price`: what a session earned, the prices of `session.prices` that it bought at
less the cost; a session that bought nothing earned nothing.
"""

from __future__ import annotations

import polars as pl

from bls.phantom.pricing.provider import BASE, POLICY
from bls.phantom.session import MODES
from bls.phantom.shop import catalogue

_ACT, _PURCHASE = "act", "purchase"
_MICROS = 1_000_000


def scores(acts: pl.LazyFrame, names: tuple[str, str]) -> pl.DataFrame:
    """Rows: arm, conv_id, squared error of f(tau), of sessions whose actor is known."""
    known = (
        acts.sort("ts")
        .group_by("session_id")
        .agg(pl.col("label", "actor").last())
        .select("session_id", is_agent().alias("label"))
        .drop_nulls()
    )
    return (
        acts.filter((pl.col("kind") == _ACT) & pl.col("agent_version").is_in(list(names)))
        .filter(pl.col("agent_probability").is_finite())
        .select("session_id", "agent_probability", pl.col("agent_version").alias("arm"))
        .join(known, on="session_id")
        .select(
            "arm",
            pl.col("session_id").alias("conv_id"),
            pl.col("agent_probability").alias("predicted"),
            "label",
            ((pl.col("agent_probability") - pl.col("label")) ** 2).alias("squared"),
        )
        .collect()
    )


def is_agent() -> pl.Expr:
    """1.0, 0.0, or null for nobody knows, of `label` and `actor`. A synthetic session counts as
    what its driver imitates."""
    who = pl.when(pl.col("label") == "synthetic").then(pl.col("actor")).otherwise(pl.col("label"))
    return who.replace_strict({"agent": 1.0, "human": 0.0}, default=None, return_dtype=pl.Float64)


def scored(acts: pl.LazyFrame) -> pl.DataFrame:
    """Rows: conv_id, and whether nothing was ever said of the session: `failed`."""
    return (
        acts.filter(pl.col("kind") == _ACT)
        .group_by(pl.col("session_id").alias("conv_id"))
        .agg((~pl.col("agent_probability").is_finite().any()).alias("failed"))
        .collect()
    )


def earnings(acts: pl.LazyFrame, shown: pl.LazyFrame, names: tuple[str, str]) -> pl.DataFrame:
    """Rows: arm, conv_id, and `squared`, what the session earned, of sessions that a version
    priced. The first version that priced it has it."""
    priced_by = (
        shown.filter(pl.col("version").is_in(list(names)))
        .sort("ts")
        .group_by("session_id")
        .agg(pl.col("version").first().alias("arm"))
    )
    costs = pl.LazyFrame(
        [
            {"mode": mode, "item": item.item, "cost": item.cost_micros}
            for mode in MODES
            for item in catalogue(mode).items.values()
        ]
    )
    offers = shown.select("session_id", "mode", "item", "ts", "price_micros").sort("ts")
    bought = (
        acts.filter((pl.col("kind") == _ACT) & (pl.col("action") == _PURCHASE))
        .select("session_id", "item", "ts")
        .sort("ts")
        .join_asof(offers, on="ts", by=["session_id", "item"], check_sortedness=False)
        .join(costs, on=["mode", "item"])
        .group_by("session_id")
        .agg(((pl.col("price_micros") - pl.col("cost")).sum() / _MICROS).alias("squared"))
    )
    return (
        priced_by.join(bought, on="session_id", how="left")
        .select("arm", pl.col("session_id").alias("conv_id"), pl.col("squared").fill_null(0.0))
        .collect()
    )


def priced(shown: pl.LazyFrame) -> pl.DataFrame:
    """Rows: conv_id, a session that a model was to price, and whether it was ever given a base
    price: `failed`."""
    return (
        shown.filter(pl.col("policy").is_in([POLICY, BASE]))
        .group_by(pl.col("session_id").alias("conv_id"))
        .agg((pl.col("policy") == BASE).any().alias("failed"))
        .collect()
    )
