# SPDX-License-Identifier: Apache-2.0
"""The asset `ops/retention`: every night what is too old goes, and open erasures are finished."""

from __future__ import annotations

import dagster as dg

from pipelines_dagster.defs.gdpr.sweep import sweep
from pipelines_dagster.defs.retention.run import collect, plan
from pipelines_dagster.defs.retention.series import GC_BYTES, GC_FILES, GC_THROUGHPUT, GDPR_OPEN
from pipelines_dagster.resources import Pipelines


@dg.asset(key=["ops", "retention"], group_name="ops", kinds={"delta"})
def retention(pipelines: Pipelines) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """Days past their TTL dropped; erasures that were interrupted, finished; late lines struck."""
    settings = pipelines.settings()
    done = collect(settings, plan(settings))
    GC_BYTES.inc(done.size)
    GC_FILES.inc(done.files)
    GC_THROUGHPUT.set(done.mb_s)
    swept = sweep(settings)
    GDPR_OPEN.set(swept.left_open)
    return dg.MaterializeResult(
        metadata={
            "days": len(done.due),
            "files": done.files,
            "bytes": done.size,
            "mb_s": round(done.mb_s, 1),
            "erasures_finished": swept.finished,
            "erasures_open": swept.left_open,
        }
    )
