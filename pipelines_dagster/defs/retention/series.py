# SPDX-License-Identifier: Apache-2.0
"""Prometheus series of retention and erasure: `orch_gc_*`, `orch_gdpr_*`."""

from __future__ import annotations

from prometheus_client import Counter, Gauge

GC_BYTES = Counter("orch_gc_deleted_bytes", "Bytes that retention removed.")
GC_FILES = Counter("orch_gc_deleted_files", "Files that retention removed.")
GC_THROUGHPUT = Gauge("orch_gc_throughput_mb_s", "10^6 bytes a second of the last run.")
GDPR_OPEN = Gauge("orch_gdpr_open_requests", "Erasures that are not finished.")
