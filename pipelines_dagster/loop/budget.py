# SPDX-License-Identifier: Apache-2.0
"""How the minutes of a rehearsal are shared out."""

from __future__ import annotations

from dataclasses import dataclass

from bls.errors import invalid

SHORTEST = 2.0


@dataclass(frozen=True)
class Budget:
    """Minutes of the whole; the shares leave a fifth for starting, datasets and slack."""

    minutes: float = 5.0
    before: float = 0.15
    train: float = 0.25
    canary: float = 0.15
    after: float = 0.10

    def __post_init__(self) -> None:
        if not self.minutes >= SHORTEST:
            raise invalid("bad_minutes", f"The circle takes {SHORTEST:g} minutes or more.")

    def seconds(self, share: float) -> float:
        return 60 * self.minutes * share
