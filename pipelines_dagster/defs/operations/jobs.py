# SPDX-License-Identifier: Apache-2.0
"""Jobs that span areas, as selections of asset keys: an area's assets join by their key alone."""

from __future__ import annotations

import dagster as dg

from pipelines_dagster.defs.operations.plan import (
    CANARY,
    CANARY_MOST,
    INDEX,
    INVOICES,
    LINEAGE,
    LORA,
    NIGHTLY,
    RETENTION,
    RETRY,
    SILVER,
    TIMETABLE,
    TRAINING,
    TUNER,
)

POOL = "skynet/pool"
"""Tag of runs that must not overlap; the limit is in `instance.yaml`."""


def under(*prefixes: str) -> dg.AssetSelection:
    """Every asset whose key begins with one of these paths."""
    return dg.AssetSelection.key_prefixes(*[prefix.split("/") for prefix in prefixes])


WEEKLY_TUNER = under("models/tuner", "live/params")
WEEKLY_LORA = under("models/lora")
OWN_HOUR = under("ops/retention", "ops/invoices", "ops/lineage", "index")
"""Not in the nightly job: bills and deletions wait for no training, lineage for what it made, and
the index is built on nights without new axes too (a step that made nothing skips what is below)."""
CANARIES = under("live/predictor", "live/tve", "live/agent", "live/price")
"""Not in the nightly job: a canary watches readers for hours, whatever the hour."""

SELECTIONS: dict[str, dg.AssetSelection] = {
    NIGHTLY.job: dg.AssetSelection.all() - WEEKLY_TUNER - WEEKLY_LORA - OWN_HOUR - CANARIES,
    SILVER.job: under("silver"),
    INDEX.job: under("index"),
    INVOICES.job: under("ops/invoices"),
    RETENTION.job: under("ops/retention"),
    LINEAGE.job: under("ops/lineage"),
    TUNER.job: WEEKLY_TUNER,
    LORA.job: WEEKLY_LORA,
    TRAINING: under("silver", "gold", "models", "live") - WEEKLY_TUNER - WEEKLY_LORA - CANARIES,
    CANARY: CANARIES,
}
_POOLS = {entry.job: entry.pool for entry in TIMETABLE} | {TRAINING: NIGHTLY.pool, CANARY: CANARY}
_WHAT = {entry.job: entry.what for entry in TIMETABLE} | {
    TRAINING: "datasets, models and gates, when there is enough that is new",
    CANARY: "a version that passed its gate, on a share of live traffic",
}

SMALL = (SILVER.job, INDEX.job, INVOICES.job, RETENTION.job, LINEAGE.job)
"""Jobs of many short steps: a process for each step would take longer than the steps."""
_MOST = {CANARY: {"dagster/max_runtime": f"{CANARY_MOST.total_seconds():.0f}"}}
_TWO_AT_A_TIME = dg.multiprocess_executor.configured({"max_concurrent": 2})

JOBS = {
    name: dg.define_asset_job(
        name,
        selection=selection,
        description=_WHAT[name],
        op_retry_policy=RETRY,
        executor_def=dg.in_process_executor if name in SMALL else _TWO_AT_A_TIME,
        tags=({POOL: _POOLS[name]} if _POOLS[name] else {}) | _MOST.get(name, {}),
    )
    for name, selection in SELECTIONS.items()
}
