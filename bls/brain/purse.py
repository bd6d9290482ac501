# SPDX-License-Identifier: Apache-2.0
"""What one advertiser may still spend in one reply.

The whole sum is reserved before the first token, so that replies that are written at the same time
cannot overspend together. No charge of a token is above the weight it was bid with (argmax: Clarke
and critical bid by corrections; a draw: K (s + b) / b <= b), so a weight within the purse is safe.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Purse:
    """Weight units; `reserved` is infinite for a campaign without a budget."""

    reserved: float
    spent: float = 0.0

    @property
    def left(self) -> float:
        return max(0.0, self.reserved - self.spent)

    def pay(self, charge: float) -> None:
        self.spent += charge
