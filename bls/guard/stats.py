# SPDX-License-Identifier: Apache-2.0
"""Running totals of the guard. No text is in them: uses, verdicts and reasons alone."""

from __future__ import annotations

from collections import Counter

from bls.contracts import Use, Verdict
from bls.guard.ruling import Ruling

Labels = tuple[tuple[str, str], ...]

COUNTERS = {
    "cg_guard_texts_total": ("texts", "Texts the guard judged, by use and verdict"),
    "cg_policy_block_total": ("blocked", "Ads and replies the guard blocked, by reason"),
    "cg_guard_flagged_total": ("flagged", "User texts that are abusive, by reason"),
    "cg_guard_no_ad_total": ("without_ads", "User texts that keep ads away, by reason"),
    "cg_guard_faults_total": ("faults", "Texts the classifier failed on"),
    "cg_guard_remembered_total": ("remembered", "Texts whose ruling was remembered"),
}


class GuardStats:
    """Counted by one thread at a time per text; a lost count is a figure, not money."""

    def __init__(self) -> None:
        self.texts: Counter[Labels] = Counter()
        self.blocked: Counter[Labels] = Counter()
        self.flagged: Counter[Labels] = Counter()
        self.without_ads: Counter[Labels] = Counter()
        self.faults = 0
        self.remembered = 0

    def count(self, use: Use, ruling: Ruling) -> None:
        """One text that was judged."""
        verdict = ruling.verdict
        self.texts[(("use", use.name.lower()), ("verdict", verdict.name.lower()))] += 1
        by_reason = {
            Verdict.BLOCKED: self.blocked,
            Verdict.FLAGGED: self.flagged,
            Verdict.NO_AD: self.without_ads,
        }.get(verdict)
        if by_reason is not None:
            by_reason[(("reason", ruling.reason),)] += 1
