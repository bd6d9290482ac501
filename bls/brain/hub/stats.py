# SPDX-License-Identifier: Apache-2.0
"""Running totals of the feature hub, shown as `cbp_*` series."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class HubStats:
    """Changed under the hub's lock or by the writer's thread; readers may see an older value."""

    conversations: int = 0
    ttl_evictions: int = 0
    overflows: int = 0
    rotations: int = 0
    unknown: int = 0
    ctx_hits: int = 0
    ctx_hit_s: float = 0.0
    redis_writes: int = 0
    redis_errors: int = 0
    redis_dropped: int = 0
    redis_takeovers: int = 0
    redis_bad_values: int = 0
    redis_outages: int = 0
    redis_up: int = 0
    redis_pending: int = 0
    redis_failover_ms: float = 0.0


COUNTERS = {
    "cbp_ttl_evictions": ("ttl_evictions", "Windows dropped 60 s after their last touch"),
    "cbp_hub_overflows_total": ("overflows", "Windows dropped because the hub was full"),
    "cbp_hub_rotations_total": ("rotations", "Values of W_-i that entered a window"),
    "cbp_hub_unknown_total": ("unknown", "Questions for a window that is nowhere"),
    "cbp_ctx_hits_total": ("ctx_hits", "Context vectors found in the hub"),
    "cbp_ctx_hit_seconds_total": ("ctx_hit_s", "Seconds it took to find them"),
    "cbp_redis_writes_total": ("redis_writes", "Windows written to Redis"),
    "cbp_redis_errors_total": ("redis_errors", "Writes and reads that failed"),
    "cbp_redis_dropped_total": ("redis_dropped", "Changes not written: too many were waiting"),
    "cbp_redis_takeovers_total": ("redis_takeovers", "Windows taken over from another server"),
    "cbp_redis_bad_values_total": ("redis_bad_values", "Windows in Redis that made no sense"),
    "cbp_redis_outages_total": ("redis_outages", "Times Redis went away"),
}
GAUGES = {
    "cbp_hub_conversations": ("conversations", "Windows in this process"),
    "cbp_redis_up": ("redis_up", "1 while writes to Redis succeed"),
    "cbp_redis_pending": ("redis_pending", "Changed windows waiting to be written"),
    "cbp_redis_failover_ms": ("redis_failover_ms", "How long the last outage of Redis took"),
}
