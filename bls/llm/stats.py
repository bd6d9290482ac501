# SPDX-License-Identifier: Apache-2.0
"""Running totals of the engine, read by the metrics exporter. Seconds are wall seconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass
class EngineStats:
    """Written by the engine's thread only; readers may see a slightly old value."""

    batches: int = 0
    decode_runs: int = 0
    decode_rows: int = 0
    decode_s: float = 0.0
    prefill_chunks: int = 0
    prefill_tokens: int = 0
    prefill_s: float = 0.0
    reused_tokens: int = 0
    idle_freed: int = 0
    failures: int = 0
    adapters_missing: int = 0
    rows_in_use: int = 0
    restarts: int = 0

    def take(self, before: EngineStats, now: Mapping[str, Any]) -> None:
        """Become `now` (one worker's totals) on top of what earlier workers counted."""
        for name, value in now.items():
            setattr(self, name, getattr(before, name) + value)

    def decoded(self, rows: int, seconds: float) -> None:
        self.decode_runs += 1
        self.decode_rows += rows
        self.decode_s += seconds

    def prefilled(self, tokens: int, seconds: float) -> None:
        self.prefill_chunks += 1
        self.prefill_tokens += tokens
        self.prefill_s += seconds


COUNTERS = {
    "cg_decode_batches_total": ("batches", "Decode iterations"),
    "cg_decode_rows_total": ("decode_rows", "Rows advanced by one token"),
    "cg_decode_seconds_total": ("decode_s", "Seconds spent in decode runs"),
    "cg_prefill_chunks_total": ("prefill_chunks", "Prompt chunks run"),
    "cg_prefill_tokens_total": ("prefill_tokens", "Prompt tokens computed"),
    "cg_prefill_seconds_total": ("prefill_s", "Seconds spent in prompt chunks"),
    "cg_kv_reuse_tokens_total": ("reused_tokens", "Prompt tokens taken from an earlier turn"),
    "cg_slots_idle_freed_total": ("idle_freed", "Conversations freed because nobody came back"),
    "cg_worker_restarts_total": ("restarts", "Model workers that died and were replaced"),
    "cg_lora_missing_total": ("adapters_missing", "Prompts refused for an adapter not held"),
    "cg_engine_failures_total": ("failures", "Batches or chunks that failed"),
}
GAUGES = {"cg_kv_rows_in_use": ("rows_in_use", "KV rows held by live conversations")}
