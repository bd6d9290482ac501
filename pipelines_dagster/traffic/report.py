# SPDX-License-Identifier: Apache-2.0
"""What came of the traffic: counts that add, and times whose percentiles are taken at the end."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass, field

import numpy as np


@dataclass
class TrafficReport:
    """Written by the traffic's own thread; counts may be read from any.

    Attributes:
        failed: requests that failed, by error code: replies, bid updates and clicks.
        updates: bid updates that were taken; `late` came after their reply had ended.
        gaps_ms: between the tokens of a reply, as they reached the client.
    """

    replies: int = 0
    tokens: int = 0
    sponsored: int = 0
    updates: int = 0
    late: int = 0
    clicks: int = 0
    seconds: float = 0.0
    failed: Counter[str] = field(default_factory=Counter)
    gaps_ms: list[float] = field(default_factory=list)
    first_ms: list[float] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @property
    def failures(self) -> int:
        return self.failed.total()

    def percentile(self, share: float) -> float:
        """Of the gaps between tokens, milliseconds; NaN before the first."""
        return float(np.percentile(self.gaps_ms, share)) if self.gaps_ms else float("nan")

    def rows(self) -> list[tuple[str, str]]:
        """For a table: a name and a figure."""
        rate = self.tokens / self.seconds if self.seconds else 0.0
        first = float(np.median(self.first_ms)) if self.first_ms else float("nan")
        failed = ", ".join(f"{code} {count}" for code, count in sorted(self.failed.items()))
        return [
            ("replies", str(self.replies)),
            ("tokens", f"{self.tokens} ({rate:.1f} a second)"),
            ("sponsored tokens", str(self.sponsored)),
            ("bid updates", f"{self.updates} ({self.late} after the end)"),
            ("readers' reactions", str(self.clicks)),
            ("first token p50", f"{first:.0f} ms"),
            ("between tokens p50", f"{self.percentile(50):.1f} ms"),
            ("between tokens p95", f"{self.percentile(95):.1f} ms"),
            ("failed requests", f"{self.failures}" + (f" ({failed})" if failed else "")),
        ]
