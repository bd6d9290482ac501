# SPDX-License-Identifier: Apache-2.0
"""The promotion ledger: `ops/promotions`, one row an event, appended and never changed.

An event is written before what it says is done where a crash in between must be found
(`canary_on`, `promoting`), and after it where it is a result. So the last event of a promotion says
how far it came.

    trained -> gate -> started -> canary_on -> observed.. -> promoting -> promoted
                                     `-> rolled_back <-'
    refused: a failed gate met `promote`;  restored: an earlier version was made live again
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import polars as pl

from pipelines_dagster.lake.lake import Lake
from pipelines_dagster.registry.names import Stored

TABLE = "ops/promotions"

TRAINED, GATE, STARTED, CANARY_ON = "trained", "gate", "started", "canary_on"
OBSERVED, PROMOTING = "observed", "promoting"
PROMOTED, ROLLED_BACK, REFUSED, RESTORED = "promoted", "rolled_back", "refused", "restored"
OPEN = frozenset({STARTED, CANARY_ON, OBSERVED, PROMOTING})
LIVE = frozenset({PROMOTED, RESTORED})

_COLUMNS = {
    "ts": pl.Float64,
    "promotion": pl.String,
    "subsystem": pl.String,
    "event": pl.String,
    "version": pl.String,
    "uri": pl.String,
    "sha256": pl.String,
    "previous": pl.String,
    "key_version": pl.Int64,
    "reason": pl.String,
    "elapsed_ms": pl.Float64,
    "details": pl.String,
    "dt": pl.String,
}


@dataclass(frozen=True)
class Event:
    """One row.

    Attributes:
        promotion: names the attempt; its events share it.
        previous: JSON of the model key that was live before, empty for none.
        key_version: of the key store's entry that was written, 0 for none.
        details: figures, dataset, code version: whatever explains the event.
    """

    promotion: str
    event: str
    stored: Stored
    previous: str = ""
    key_version: int = 0
    reason: str = ""
    elapsed_ms: float = 0.0
    details: Mapping[str, Any] = field(default_factory=dict)
    ts: float = 0.0


class PromotionLedger:
    """Appends and reads events."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake

    def append(self, event: Event) -> None:
        now = time.time()
        row = {
            "ts": now,
            "promotion": event.promotion,
            "subsystem": event.stored.subsystem,
            "event": event.event,
            "version": event.stored.version,
            "uri": event.stored.uri,
            "sha256": event.stored.sha256,
            "previous": event.previous,
            "key_version": event.key_version,
            "reason": event.reason,
            "elapsed_ms": event.elapsed_ms,
            "details": json.dumps(event.details, default=float),
            "dt": datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%d"),
        }
        self._lake.append(TABLE, pl.DataFrame([row], schema=_COLUMNS))

    def events(self, subsystem: str, names: frozenset[str] | None = None) -> list[Event]:
        """Of a subsystem, oldest first."""
        if self._lake.open(TABLE) is None:
            return []
        rows = self._lake.scan(TABLE).filter(pl.col("subsystem") == subsystem)
        if names is not None:
            rows = rows.filter(pl.col("event").is_in(list(names)))
        return [_event(row) for row in rows.sort("ts").collect().to_dicts()]

    def open_promotions(self, subsystem: str) -> list[Event]:
        """The last event of every promotion that has begun and not ended."""
        last: dict[str, Event] = {}
        for event in self.events(subsystem):
            if event.event not in (TRAINED, GATE):
                last[event.promotion] = event
        return [event for event in last.values() if event.event in OPEN]

    def candidate(self, subsystem: str) -> Event | None:
        """The newest trained version."""
        found = self.events(subsystem, frozenset({TRAINED}))
        return found[-1] if found else None

    def gate_of(self, stored: Stored) -> Event | None:
        """The last verdict on a version."""
        found = [
            event
            for event in self.events(stored.subsystem, frozenset({GATE}))
            if event.stored == stored
        ]
        return found[-1] if found else None

    def settled(self, stored: Stored) -> bool:
        """Whether a version was promoted, rolled back or refused already."""
        ended = frozenset({PROMOTED, ROLLED_BACK, REFUSED})
        return any(event.stored == stored for event in self.events(stored.subsystem, ended))


def _event(row: Mapping[str, Any]) -> Event:
    return Event(
        promotion=row["promotion"],
        event=row["event"],
        stored=Stored(row["subsystem"], row["version"], row["uri"], row["sha256"]),
        previous=row["previous"],
        key_version=row["key_version"],
        reason=row["reason"],
        elapsed_ms=row["elapsed_ms"],
        details=json.loads(row["details"]),
        ts=row["ts"],
    )
