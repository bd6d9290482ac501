# SPDX-License-Identifier: Apache-2.0
"""Running totals of the remote bidders, shown as `auc_remote_*` series."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from bls.remote.chunk import Fault

Labels = tuple[tuple[str, str], ...]
Totals = dict[Labels, float]


def add(totals: Totals, amount: float = 1, **labels: str) -> None:
    """Add to the total of these labels."""
    key = tuple(labels.items())
    totals[key] = totals.get(key, 0) + amount


@dataclass
class RemoteStats:
    """Changed under the lock of a conversation or on the loop; readers may see an older value."""

    chunks: Totals = field(default_factory=dict)
    late: Totals = field(default_factory=dict)
    malformed: Totals = field(default_factory=dict)
    left_out: Totals = field(default_factory=dict)
    unavailable: Totals = field(default_factory=dict)
    answer_s: Totals = field(default_factory=dict)
    waits: int = 0
    wait_s: float = 0.0
    streams: int = 0

    def faults(self, advertiser: str) -> Mapping[Fault, float]:
        """Malformed chunks of one bidder by reason."""
        labels = {f: (("advertiser", advertiser), ("reason", f.value)) for f in Fault}
        return {f: self.malformed[key] for f, key in labels.items() if key in self.malformed}


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
