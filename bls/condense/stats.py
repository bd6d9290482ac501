# SPDX-License-Identifier: Apache-2.0
"""Running totals of the condenser and of the summariser's supervisor."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class CondenseStats:
    """`failures`: chats that went on without summaries."""

    requests: int = 0
    windows: int = 0
    summarised: int = 0
    failures: int = 0
    trimmed: int = 0
    masked: int = 0
    seconds: float = 0.0


@dataclass
class CacheStats:
    """`evictions`: entries that got too old or too many; `errors`: of Redis."""

    hits: int = 0
    misses: int = 0
    evictions: int = 0
    errors: int = 0
    entries: int = 0


@dataclass
class WorkerStats:
    restarts: int = 0
    refused: int = 0
    late: int = 0


COUNTERS = {
    "cg_condense_requests_total": ("requests", "Chats that had a head to condense"),
    "cg_windows_total": ("windows", "64-token windows that heads were cut into"),
    "cg_condense_summarised_total": ("summarised", "Windows that were summarised anew"),
    "cg_condense_failures_total": ("failures", "Chats that went on with their tail alone"),
    "cg_condense_trimmed_total": ("trimmed", "Summaries cut to 32 tokens"),
    "cg_condense_masked_total": ("masked", "Summaries in which something was masked"),
    "cg_condense_seconds_total": ("seconds", "Seconds spent condensing"),
}
CACHE_COUNTERS = {
    "cg_condense_cache_hits_total": ("hits", "Windows whose summary was in the cache"),
    "cg_condense_cache_misses_total": ("misses", "Windows whose summary was not"),
    "cg_cache_evictions_total": ("evictions", "Cached summaries that got too old or too many"),
    "cg_condense_cache_errors_total": ("errors", "Times that Redis did not answer"),
}
CACHE_GAUGES = {"cg_condense_cache_entries": ("entries", "Summaries held in this process")}
WORKER_COUNTERS = {
    "cg_condense_restart_total": ("restarts", "Summariser workers that died and were replaced"),
    "cg_condense_late_total": ("late", "Windows whose summaries came too late to be used"),
    "cg_condense_refused_total": ("refused", "Windows asked for while there was no worker"),
}
