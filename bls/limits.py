# SPDX-License-Identifier: Apache-2.0
"""Every limit of the serving path, in one place.

Past a limit a caller gets a typed error with a code (see `bls.errors`) and nothing stays
half-done. `config.pbtxt` files repeat the few numbers Triton needs; a test compares them.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Units are in the field names; counts have none."""

    # gateway
    body_bytes: int = 256 * 1024
    message_bytes: int = 64 * 1024
    messages: int = 128
    stop_strings: int = 4
    stop_bytes: int = 64
    streams: int = 32
    heartbeat_s: float = 1.0

    # one reply
    prompt_tokens: int = 6_000
    prefix_tokens: int = 512
    output_tokens: int = 256
    default_output_tokens: int = 64
    bidders: int = 8
    ad_prompt_bytes: int = 2_000
    ad_prompt_tokens: int = 96
    bid_max: float = 100.0
    weight_ref_max: float = 100.0
    temperature_min: float = 0.05
    temperature_max: float = 2.0
    deadline_ms: int = 120_000
    bid_updates_per_s: int = 20
    bid_update_bytes: int = 4_096

    # remote bidders
    remote_deadline_ms: int = 1_000
    remote_top_k: int = 1_024
    remote_turns: int = 32
    remote_misses: int = 3
    remote_faults: int = 3
    remote_pause_s: float = 0.5
    remote_pause_max_s: float = 30.0

    # llm_step
    kv_rows: int = 64
    prefix_slots: int = 24
    prefix_idle_s: float = 900.0
    slot_idle_s: float = 180.0
    prefill_chunk_busy: int = 32
    prefill_chunk_alone: int = 128
    prefill_chunk_min: int = 8
    prefill_queue: int = 64
    snapshot_every: int = 5
    gather_s: float = 0.06

    # context encoder
    context_messages: int = 4
    context_chars: int = 4_096
    context_pieces: int = 128
    context_cache: int = 65_536

    # before the first token
    guard_texts: int = 32
    guard_timeout_s: float = 0.5
    condense_timeout_s: float = 1.0
    select_timeout_s: float = 0.5
    tail_tokens: int = 256
    summaries: int = 8
    summary_cache_s: float = 900.0
    summary_cache: int = 4_096
    selected: int = 4
    creative_text_bytes: int = 2_000
    creatives_per_request: int = 256
    campaign_requests_per_s: int = 200
    funds_cache_s: float = 60.0
    adapters: int = 8
    adapter_rank: int = 64

    # shop sessions (PHANTOM)
    events_per_request: int = 64
    quotes_per_request: int = 128
    session_requests_per_s: int = 20
    session_events: int = 5_000
    sessions: int = 65_536
    session_idle_s: float = 1_800.0
    sessions_remembered: int = 262_144
    event_age_s: float = 86_400.0
    event_ahead_s: float = 5.0
    events_remembered: int = 1_000_000
    search_chars: int = 256
    session_address_requests_per_s: int = 1_000
    score_timeout_s: float = 0.05
    price_timeout_s: float = 0.05
    price_hold_s: float = 300.0
    prices_held: int = 262_144
    score_behind_s: float = 10.0

    # competitor bids
    hub_ttl_s: float = 60.0
    hub_conversations: int = 4_096
    hub_read_s: float = 0.05
    hub_flush_s: float = 0.02
    hub_connect_s: float = 0.5
    hub_retry_s: float = 0.1
    hub_retry_max_s: float = 1.0
    forecast_held_s: float = 300.0
    forecasts_held: int = 16_384
    forecast_queue: int = 4_096

    # live parameters
    key_bytes: int = 64 * 1024
    key_poll_s: float = 0.5

    # explanations
    explain_queue: int = 16
    explain_evaluations: int = 40
    explain_start_s: float = 60.0
    explain_timeout_s: float = 10.0
    explain_wait_s: float = 90.0
    explain_pause_s: float = 15.0

    # event logs
    log_queue: int = 4_096

    # billing records
    ledger_queue: int = 8_192
    ledger_wait_s: float = 5.0
    ledger_sync_s: float = 1.0
    ledger_segment_bytes: int = 256 * 1024 * 1024

    def __post_init__(self) -> None:
        if self.prefill_chunk_busy < self.prefill_chunk_min:
            raise ValueError("prefill_chunk_busy must be >= prefill_chunk_min")
        if self.kv_rows < self.bidders + 1:
            raise ValueError("kv_rows must hold one full reply: bidders + 1")

    @property
    def row_tokens(self) -> int:
        """Longest row the KV cache holds: prefix, ad prompt with its template, output."""
        return self.prefix_tokens + self.ad_prompt_tokens + 32 + self.output_tokens


LIMITS = Limits()
