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
"""Series name -> (attribute of the stats object, help text).

The attribute is a number, or a mapping from labels, as ((name, value), ...), to a number.
"""

_Labels = tuple[tuple[str, str], ...]


class _Series:
    """One family and what was last told of each of its label sets."""

    def __init__(self, family: Any, attribute: str, counter: bool) -> None:
        self._family = family  # a metric dies with its family
        self._attribute = attribute
        self._counter = counter
        self._metrics: dict[_Labels, Any] = {}
        self._last: dict[_Labels, float] = {}

    def flush(self, stats: object) -> None:
        found = getattr(stats, self._attribute)
        values = dict(found) if isinstance(found, Mapping) else {(): found}
        for labels, value in values.items():
            self._tell(labels, float(value))

    def _tell(self, labels: _Labels, value: float) -> None:
        if labels not in self._metrics:
            self._metrics[labels] = self._family.Metric(labels=dict(labels))
        change = value - self._last.get(labels, 0.0)
        if change:
            self._last[labels] = value
            metric = self._metrics[labels]
            if self._counter:
                metric.increment(change)
            else:
                metric.set(value)


class StatsExporter:
    """Copies a stats object into Triton metrics."""

    def __init__(
        self, stats: object, counters: Table, gauges: Table, pb_utils: Any, period_s: float = 1.0
    ) -> None:
        self._stats = stats
        self._period_s = period_s
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, name="stats-exporter", daemon=True)
        families = pb_utils.MetricFamily
        self._series = [
            _Series(families(name=name, description=text, kind=kind), attribute, counter)
            for table, kind, counter in (
                (counters, families.COUNTER, True),
                (gauges, families.GAUGE, False),
            )
            for name, (attribute, text) in table.items()
        ]
        self.flush()

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._done.set()
        self._thread.join(timeout=5)

    def flush(self) -> None:
        """Bring every series up to date."""
        for series in self._series:
            series.flush(self._stats)

    def _run(self) -> None:
        while not self._done.wait(self._period_s):
            self.flush()
