# SPDX-License-Identifier: Apache-2.0
"""What the controller is told of a budget."""

from __future__ import annotations

from typing import NamedTuple


class BudgetState(NamedTuple):
    """What the controller paces by; all 0 when nothing is known.

    Attributes:
        budget_left: weight x tokens, neither spent nor reserved by other replies.
        time_left: seconds until the flight ends.
        spend_rate: recent, weight x tokens a second, as if all of it had been bid at pace 1.
    """

    budget_left: float
    time_left: float
    spend_rate: float


NOTHING = BudgetState(0.0, 0.0, 0.0)
