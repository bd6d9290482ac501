# SPDX-License-Identifier: Apache-2.0
"""Running totals of the remote bidders, shown as `auc_remote_*` series."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from bls.totals import Totals

LEAST_WAIT_S = 1e-3
"""Less is the time the answer takes to be sent, and is not counted as a wait."""


@dataclass
class RemoteStats:
    """Change it through its methods, from any thread; readers may see a slightly old value."""

    chunks: Totals = field(default_factory=Totals)
    late: Totals = field(default_factory=Totals)
    malformed: Totals = field(default_factory=Totals)
    left_out: Totals = field(default_factory=Totals)
    unavailable: Totals = field(default_factory=Totals)
    answer_s: Totals = field(default_factory=Totals)
    waits: int = 0
    wait_s: float = 0.0
    streams: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def waited(self, seconds: float) -> None:
        """A token's local rows were there for that long before it was decided."""
        with self.lock:
            self.waits += seconds > LEAST_WAIT_S
            self.wait_s += seconds

    def stream(self, change: int) -> None:
        """A stream was opened (1) or has ended (-1)."""
        with self.lock:
            self.streams += change


COUNTERS = {
    "auc_remote_chunks_total": ("chunks", "Chunks that took part in their token"),
    "auc_remote_late_total": ("late", "Chunks that came after their token was decided"),
    "auc_remote_malformed_total": ("malformed", "Chunks refused, by reason"),
    "auc_remote_left_out_total": ("left_out", "Tokens decided without the bidder, by reason"),
    "auc_remote_unavailable_total": ("unavailable", "Streams that failed or were cut"),
    "auc_remote_answer_seconds_total": ("answer_s", "From announcement to chunk, chunks used"),
    "auc_remote_waits_total": ("waits", "Tokens that waited for a remote bidder"),
    "auc_remote_wait_seconds_total": ("wait_s", "Seconds they waited"),
}
GAUGES = {"auc_remote_streams": ("streams", "Streams open to remote bidders")}
