# SPDX-License-Identifier: Apache-2.0
"""Totals of a relay, written as `relay.prom` into the log folder for a text-file collector."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

_HELP = {
    "sent": ("counter", "Events Kafka has acknowledged"),
    "dropped": ("counter", "Lines of debug streams removed before they were sent"),
    "gaps": ("counter", "Times that files were missing and nobody had counted their lines"),
    "dead_letters": ("counter", "Lines that are no event"),
    "lag_bytes": ("gauge", "Bytes on disk that are not sent yet"),
    "lag_records": ("gauge", "The same in lines, by the mean length of those sent"),
}


@dataclass
class RelayStats:
    """Everything by topic but `errors`, which is by what Kafka said.

    Attributes:
        restarts: times that the cluster was another one.
        connected: to Kafka, now.
    """

    sent: Counter[str] = field(default_factory=Counter)
    dropped: Counter[str] = field(default_factory=Counter)
    gaps: Counter[str] = field(default_factory=Counter)
    dead_letters: Counter[str] = field(default_factory=Counter)
    lag_bytes: dict[str, int] = field(default_factory=dict)
    lag_records: dict[str, int] = field(default_factory=dict)
    errors: Counter[str] = field(default_factory=Counter)
    restarts: int = 0
    connected: bool = False

    def text(self) -> str:
        """Prometheus text format."""
        lines = []
        for name, (kind, says) in _HELP.items():
            series = f"orch_events_{name}" + ("_total" if kind == "counter" else "")
            lines += [f"# HELP {series} {says}", f"# TYPE {series} {kind}"]
            values = getattr(self, name).items()
            lines += [f'{series}{{topic="{topic}"}} {value}' for topic, value in values]
        lines += [
            "# HELP orch_events_errors_total Sendings that failed, and are done again",
            "# TYPE orch_events_errors_total counter",
            *(f'orch_events_errors_total{{error="{e}"}} {n}' for e, n in self.errors.items()),
            "# HELP orch_events_restarts_total Times that the Kafka cluster was another one",
            "# TYPE orch_events_restarts_total counter",
            f"orch_events_restarts_total {self.restarts}",
            "# HELP orch_events_connected Whether Kafka answers",
            "# TYPE orch_events_connected gauge",
            f"orch_events_connected {int(self.connected)}",
        ]
        return "\n".join(lines) + "\n"

    def save(self, path: Path) -> None:
        """At once, so that no reader sees half of it. Raises `OSError`."""
        new = path.with_name(path.name + ".new")
        new.write_text(self.text())
        new.replace(path)
