# SPDX-License-Identifier: Apache-2.0
"""The checks of `quality` on the assets. Those of a table's form stop what comes after it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta

import dagster as dg
import polars as pl

from pipelines_dagster.defs.datasets import quality
from pipelines_dagster.defs.datasets.assets import gold_root, key_of
from pipelines_dagster.defs.datasets.gold import PREDICTOR, TVE, latest
from pipelines_dagster.defs.datasets.quality import Finding
from pipelines_dagster.defs.datasets.recipe import Recipe
from pipelines_dagster.defs.datasets.tables import recipes
from pipelines_dagster.lake.lake import PARTITION, Lake
from pipelines_dagster.lake.partitions import days_of
from pipelines_dagster.resources import Pipelines

DAYS = 3
"""Newest days of a table that are looked at."""
_SPARSE = {"silver/click_pairs", "silver/lambda_rewards", "silver/sessions"}
"""Tables that may well have no rows."""


def recent(lake: Lake, table: str) -> pl.LazyFrame | None:
    """Rows of the newest days; None of a table that does not exist or has none."""
    days = days_of(lake, table)
    if not days:
        return None
    since = (date.fromisoformat(max(days)) - timedelta(days=DAYS - 1)).isoformat()
    return lake.scan(table).filter(pl.col(PARTITION) >= since)


def _result(finding: Finding, severity: dg.AssetCheckSeverity) -> dg.AssetCheckResult:
    shown = {name: count for name, count in finding.faults.items() if count}
    return dg.AssetCheckResult(
        passed=finding.passed,
        severity=severity,
        metadata={"rows": finding.rows, "faults": shown},
    )


def _form(recipe: Recipe) -> dg.AssetChecksDefinition:
    needed = recipe.table not in _SPARSE

    @dg.asset_check(asset=key_of(recipe.table), name="form", blocking=True)
    def form(pipelines: Pipelines) -> dg.AssetCheckResult:
        """Schema, rows, nulls, ranges, unique keys."""
        rows = recent(pipelines.lake(), recipe.table)
        found = Finding(0, {"no rows": int(needed)})
        if rows is not None:
            found = quality.table(rows, recipe, needed=needed)
        return _result(found, dg.AssetCheckSeverity.ERROR)

    return form


Look = Callable[[pl.LazyFrame], Finding]


def _warning(name: str, on: str, table: str, look: Look) -> dg.AssetChecksDefinition:
    """A check that is told of and stops nothing."""

    @dg.asset_check(asset=key_of(on), name=name, description=look.__doc__)
    def warned(pipelines: Pipelines) -> dg.AssetCheckResult:
        rows = recent(pipelines.lake(), table)
        return _result(Finding(0) if rows is None else look(rows), dg.AssetCheckSeverity.WARN)

    return warned


def _whole(name: str) -> dg.AssetChecksDefinition:
    @dg.asset_check(asset=dg.AssetKey(["gold", name]), name="form", blocking=True)
    def form(pipelines: Pipelines) -> dg.AssetCheckResult:
        """Hashes, columns and rows of both parts, no conversation in both, lineage."""
        folder = latest(gold_root(pipelines.settings()), name)
        found = Finding(0, {"no training set": 1})
        if folder is not None:
            found = quality.training_set(folder, name)
        return _result(found, dg.AssetCheckSeverity.ERROR)

    return form


def _vectors(rows: pl.LazyFrame) -> Finding:
    """Context vectors of length 1."""
    return quality.unit_norm(rows, "ctx_vec")


CHECKS = [
    *map(_form, recipes().values()),
    _warning("records", "silver/bids", "bronze/auction_bids", quality.records),
    _warning("balance", "silver/bids", "silver/bids", quality.balance),
    _warning("receipts", "silver/bids", "silver/bids", quality.receipts),
    _warning("labels", "silver/tve_samples", "silver/tve_samples", quality.labels),
    _warning("unit_norm", "silver/contexts", "silver/contexts", _vectors),
    _whole(PREDICTOR),
    _whole(TVE),
]
