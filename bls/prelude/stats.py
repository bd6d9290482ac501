# SPDX-License-Identifier: Apache-2.0
"""Running totals of what happens before the first token, shown as `cg_*` and `mro_*` series."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass, field

Labels = tuple[tuple[str, str], ...]


@dataclass
class PreludeStats:
    """Totals of all replies; hold `lock` to change them."""

    seconds: Counter[Labels] = field(default_factory=Counter)
    failures: Counter[Labels] = field(default_factory=Counter)
    no_ads: Counter[Labels] = field(default_factory=Counter)
    left_out: Counter[Labels] = field(default_factory=Counter)
    scrubbed: Counter[Labels] = field(default_factory=Counter)
    preludes: int = 0
    summaries: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False)


COUNTERS = {
    "cg_preludes_total": ("preludes", "Replies prepared"),
    "cg_prelude_seconds_total": ("seconds", "Seconds before the prompt was built, by stage"),
    "cg_prelude_failures_total": ("failures", "Stages that failed or were late, by stage and code"),
    "cg_no_ads_total": ("no_ads", "Replies without ads, by reason"),
    "cg_ads_left_out_total": ("left_out", "Bidders left out of a reply, by reason"),
    "cg_scrubbed_total": ("scrubbed", "Pieces of personal data taken out, by kind"),
    "cg_summaries_total": ("summaries", "Summaries that stand in a prompt"),
}
