# SPDX-License-Identifier: Apache-2.0
"""The asset `ops/retention`: every night what is too old goes, and open erasures are finished."""

from __future__ import annotations

import dagster as dg

from pipelines_dagster.defs.gdpr.sweep import sweep
from pipelines_dagster.defs.retention.run import collect, plan
from pipelines_dagster.notify.series import folder, gauge
from pipelines_dagster.resources import Pipelines


@dg.asset(key=["ops", "retention"], group_name="ops", kinds={"delta"})
def retention(pipelines: Pipelines) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """Days past their TTL dropped; erasures that were interrupted, finished; late lines struck."""
    settings = pipelines.settings()
    done = collect(settings, plan(settings))
    into = folder(settings)
    gauge(into, "orch_gc_deleted_bytes", done.size, "Bytes that the last retention removed")
    gauge(into, "orch_gc_deleted_files", done.files, "Files that the last retention removed")
    gauge(into, "orch_gc_throughput_mb_s", done.mb_s, "10^6 bytes a second of the last run")
    swept = sweep(settings)
    gauge(into, "orch_gdpr_open_requests", swept.left_open, "Erasures that are not finished")
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
