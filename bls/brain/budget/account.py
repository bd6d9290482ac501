# SPDX-License-Identifier: Apache-2.0
"""The money of one flight: what is spent, and what replies under way hold."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Hold:
    """What one reply may spend, and what it has delivered so far. Micro-units."""

    micros: int
    delivered: int = 0

    @property
    def left(self) -> int:
        return max(0, self.micros - self.delivered)


@dataclass
class Account:
    """Holds by the key of their reply; `reserved` is their sum."""

    spent: int = 0
    reserved: int = 0
    holds: dict[str, Hold] = field(default_factory=dict)

    def free(self, budget: int) -> int:
        """Neither spent nor held."""
        return max(0, budget - self.spent - self.reserved)

    def hold(self, key: str, micros: int) -> None:
        """Let `key` hold `micros` in all. Never less than before."""
        hold = self.holds.setdefault(key, Hold(0))
        self.reserved += micros - hold.micros
        hold.micros = micros

    def settle(self, key: str, micros: int) -> None:
        """End the hold of `key`; `micros` of it are spent."""
        self.reserved -= self.holds.pop(key).micros
        self.spent += micros
