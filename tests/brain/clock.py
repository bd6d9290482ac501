# SPDX-License-Identifier: Apache-2.0
"""A clock that a test moves."""

from __future__ import annotations


class Clock:
    """Seconds, from an odd start."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now

    def pass_by(self, seconds: float) -> None:
        self.now += seconds
