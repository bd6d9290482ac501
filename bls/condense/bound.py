# SPDX-License-Identifier: Apache-2.0
"""No summary is longer than 32 tokens, whatever made it (CG-U-02)."""

from __future__ import annotations

from collections.abc import Sequence

from bls.condense.stats import CondenseStats
from bls.contracts import SUMMARY_TOKENS
from bls.keys.live import Log

WARNINGS = "condense.warn"


class Bound:
    """Trims, counts and tells; a line has lengths, never tokens."""

    def __init__(self, log: Log, stats: CondenseStats) -> None:
        self._log, self._stats = log, stats

    def __call__(self, summary: Sequence[int], convo_id: str) -> tuple[int, ...]:
        """At most the first 32 tokens."""
        if len(summary) > SUMMARY_TOKENS:
            self._stats.trimmed += 1
            self._log.write(WARNINGS, convo_id=convo_id, tokens=len(summary), kept=SUMMARY_TOKENS)
        return tuple(summary[:SUMMARY_TOKENS])
