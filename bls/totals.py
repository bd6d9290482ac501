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
