# SPDX-License-Identifier: Apache-2.0
"""Running totals as series on Triton's /metrics, refreshed once a second.

Each update crosses a process boundary, so totals are copied by a thread of their own instead of
being counted on the hot path.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

Table = Mapping[str, tuple[str, str]]
"""Series name -> (attribute of the stats object, help text)."""


class StatsExporter:
    """Copies a stats object into Triton metrics."""

    def __init__(
        self, stats: object, counters: Table, gauges: Table, pb_utils: Any, period_s: float = 1.0
    ) -> None:
        self._stats = stats
        self._period_s = period_s
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, name="stats-exporter", daemon=True)
        self._families: list[Any] = []  # a metric dies with its family
        self._metrics: list[tuple[str, Any, bool]] = []
        self._last: dict[str, float] = {}
        families = pb_utils.MetricFamily
        for table, kind in ((counters, families.COUNTER), (gauges, families.GAUGE)):
            for name, (attribute, text) in table.items():
                family = families(name=name, description=text, kind=kind)
                self._families.append(family)
                self._metrics.append((attribute, family.Metric(labels={}), table is counters))

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._done.set()
        self._thread.join(timeout=5)

    def flush(self) -> None:
        """Bring every series up to date."""
        for attribute, metric, counter in self._metrics:
            value = float(getattr(self._stats, attribute))
            change = value - self._last.get(attribute, 0.0)
            if change:
                self._last[attribute] = value
                if counter:
                    metric.increment(change)
                else:
                    metric.set(value)

    def _run(self) -> None:
        while not self._done.wait(self._period_s):
            self.flush()
