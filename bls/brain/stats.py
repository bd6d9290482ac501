# SPDX-License-Identifier: Apache-2.0
"""Running totals of the bidding brain, shown as `mpc_*`, `cbp_*` and `tve_*` series."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field


@dataclass
class BrainStats:
    """Totals of all replies; hold `lock` to change them."""

    decisions: int = 0
    abandoned: int = 0
    delivered: int = 0
    refused: int = 0
    exhausted: int = 0
    unvalued: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def ran_out(self) -> None:
        """A seat has no budget left."""
        with self.lock:
            self.exhausted += 1


COUNTERS = {
    "mpc_decisions_total": ("decisions", "Bids decided by the controller"),
    "mpc_abandon_total": ("abandoned", "Trajectories the controller ended before their last token"),
    "mpc_delivered_total": ("delivered", "Trajectories won to their last token"),
    "mpc_refused_total": ("refused", "Rows the controller refused to decide"),
    "mpc_budget_exhausted_total": ("exhausted", "Seats that ran out of budget in a reply"),
    "tve_missing_total": ("unvalued", "Replies whose ads could not be valued: cautious bids"),
}
