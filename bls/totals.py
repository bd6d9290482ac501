# SPDX-License-Identifier: Apache-2.0
"""Running totals by label, as the series of /metrics have them."""

from __future__ import annotations

import threading


class Totals(dict[tuple[tuple[str, str], ...], float]):
    """Totals by labels, ((name, value), ...); `add` from any thread."""

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Lock()

    def add(self, amount: float = 1, **labels: str) -> None:
        key = tuple(labels.items())
        with self._lock:
            self[key] = self.get(key, 0) + amount

    def of(self, **labels: str) -> float:
        """Sum of the totals that have these labels."""
        wanted = set(labels.items())
        return sum(value for key, value in list(self.items()) if wanted <= set(key))


class Latency(Totals):
    """How many took at most `le` seconds, cumulative, as Prometheus has its histograms.

    Args:
        bounds: upper ones in seconds, rising; all are counted under `+Inf`.
    """

    def __init__(self, *bounds: float) -> None:
        super().__init__()
        self._bounds = bounds

    def took(self, seconds: float) -> None:
        for bound in self._bounds:
            if seconds <= bound:
                self.add(le=str(bound))
        self.add(le="+Inf")
