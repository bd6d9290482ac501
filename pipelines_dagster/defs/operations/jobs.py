# SPDX-License-Identifier: Apache-2.0
"""Jobs that span areas, as selections of asset keys: an area's assets join by their key alone."""

from __future__ import annotations

import dagster as dg

from pipelines_dagster.defs.operations.plan import (
    INVOICES,
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
OWN_HOUR = under("ops/retention", "ops/invoices")
"""Not in the nightly job: bills and deletions wait for no training."""

SELECTIONS: dict[str, dg.AssetSelection] = {
    NIGHTLY.job: dg.AssetSelection.all() - WEEKLY_TUNER - WEEKLY_LORA - OWN_HOUR,
    SILVER.job: under("silver"),
    INVOICES.job: under("ops/invoices"),
    RETENTION.job: under("ops/retention"),
    TUNER.job: WEEKLY_TUNER,
    LORA.job: WEEKLY_LORA,
    TRAINING: under("silver", "gold", "models", "live") - WEEKLY_TUNER - WEEKLY_LORA,
}
_POOLS = {entry.job: entry.pool for entry in TIMETABLE} | {TRAINING: NIGHTLY.pool}
_WHAT = {entry.job: entry.what for entry in TIMETABLE} | {
    TRAINING: "datasets, models, gates and canaries, when there is enough that is new"
}

SMALL = (SILVER.job, INVOICES.job, RETENTION.job)
"""Jobs of many short steps: a process for each step would take longer than the steps."""
_TWO_AT_A_TIME = dg.multiprocess_executor.configured({"max_concurrent": 2})

JOBS = {
    name: dg.define_asset_job(
        name,
        selection=selection,
        description=_WHAT[name],
        op_retry_policy=RETRY,
        executor_def=dg.in_process_executor if name in SMALL else _TWO_AT_A_TIME,
        tags={POOL: _POOLS[name]} if _POOLS[name] else {},
    )
    for name, selection in SELECTIONS.items()
}
