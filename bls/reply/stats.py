# SPDX-License-Identifier: Apache-2.0
"""Running totals of the reply loop, shown as `cg_*` and `auc_*` series."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field


@dataclass
class ReplyStats:
    """Totals of all replies; hold `lock` to change them."""

    live: int = 0
    replies: int = 0
    failed: int = 0
    cancelled: int = 0
    tokens: int = 0
    sponsored: int = 0
    replays: int = 0
    bid_updates: int = 0
    score_updates: int = 0
    ttft_s: float = 0.0
    seconds: float = 0.0
    charged_micros: int = 0
    refunded_micros: int = 0
    invalid: int = 0
    policy_tokens: int = 0
    policy_s: float = 0.0
    policy_slow: int = 0
    policy_replaced: int = 0
    policy_ended: int = 0
    policy_faults: int = 0
    log_dropped: int = 0
    log_lag: int = 0
    records_lost: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False)


COUNTERS = {
    "cg_replies_total": ("replies", "Replies that ended, however they ended"),
    "cg_replies_failed_total": ("failed", "Replies that ended with an error"),
    "cg_replies_cancelled_total": ("cancelled", "Replies whose reader went away"),
    "cg_reply_tokens_total": ("tokens", "Tokens streamed"),
    "cg_replays_total": ("replays", "Times a lost KV cache was rebuilt"),
    "cg_ttft_seconds_total": ("ttft_s", "Sum of times to first token"),
    "cg_reply_seconds_total": ("seconds", "Sum of reply durations"),
    "cg_log_dropped_total": ("log_dropped", "Log lines that did not fit the queue"),
    "auc_records_lost_total": ("records_lost", "Billing records that could not be encoded"),
    "auc_sponsored_tokens_total": ("sponsored", "Tokens an advertiser changed or paid for"),
    "auc_weight_reload_total": ("bid_updates", "Bid updates applied to a live reply"),
    "auc_charged_micros_total": ("charged_micros", "Micro-dollars charged, before refunds"),
    "auc_refunded_micros_total": ("refunded_micros", "Micro-dollars refunded: invalid traffic"),
    "auc_invalid_replies_total": ("invalid", "Replies to sessions taken for a program"),
    "auc_score_updates_total": ("score_updates", "Agent probabilities told of a live reply"),
    "auc_policy_tokens_total": ("policy_tokens", "Tokens the output filter judged"),
    "auc_policy_seconds_total": ("policy_s", "Seconds spent in the output filter"),
    "auc_policy_slow_total": ("policy_slow", "Tokens that took the filter more than 3 ms"),
    "auc_policy_replaced_total": ("policy_replaced", "Refused tokens given to the reference"),
    "auc_policy_ended_total": ("policy_ended", "Replies ended because no token was safe"),
    "auc_policy_faults_total": ("policy_faults", "Checks in which the classifier failed"),
}
GAUGES = {
    "cg_replies_live": ("live", "Replies being written"),
    "auc_log_lag": ("log_lag", "Billing records waiting for the disk at the last token"),
}
