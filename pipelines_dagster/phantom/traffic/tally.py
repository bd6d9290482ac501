# SPDX-License-Identifier: Apache-2.0
"""What was made: a line a driver."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from bls.phantom.session import Session

HEAD = ("driver", "imitates", "sessions", "events", "minutes", "carts", "purchases")


@dataclass
class _Line:
    actor: str
    sessions: int = 0
    events: int = 0
    ms: int = 0
    carts: int = 0
    purchases: int = 0


@dataclass
class Tally:
    """Counts sessions as they come. `failed`: faults that ended a session, by code."""

    lines: dict[str, _Line] = field(default_factory=dict)
    failed: Counter[str] = field(default_factory=Counter)

    def push(self, session: Session) -> None:
        line = self.lines.setdefault(session.origin, _Line(session.actor))
        acts = {one.action for one in session.events}
        line.sessions += 1
        line.events += len(session.events)
        line.ms += session.events[-1].ts_ms - session.start_ms if session.events else 0
        line.carts += "add_item" in acts
        line.purchases += "purchase" in acts

    def rows(self) -> list[tuple[str, ...]]:
        """Cells under `HEAD`, in the order the drivers came."""
        return [
            (
                name,
                one.actor,
                f"{one.sessions:,}",
                f"{one.events:,}",
                f"{one.ms / 60_000:,.0f}",
                f"{one.carts / one.sessions:.1%}",
                f"{one.purchases / one.sessions:.1%}",
            )
            for name, one in self.lines.items()
        ]
