# SPDX-License-Identifier: Apache-2.0
"""How much an ingest takes at once, and how long it waits for whom."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class IngestLimits:
    """Attributes:
    records: in one poll, so at most in one commit; it bounds the memory.
    seconds: longest that a record waits for others to share its commit.
    backoff_s: first pause after a store failed; it doubles up to `backoff_max_s`.
    give_up_s: after which a failing store or Kafka is an error; None waits for ever.
    """

    records: int = 50_000
    seconds: float = 5.0
    backoff_s: float = 0.2
    backoff_max_s: float = 15.0
    give_up_s: float | None = None
