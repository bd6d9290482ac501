# SPDX-License-Identifier: Apache-2.0
"""Sessions as everything in PHANTOM sees them: events, quotes, and who is known to have acted.

Source: PHANTOM's model, "Objects": `e = (action, item, time, meta, dwell_ms)`; the session record
`(sid, experiment, start, mode, user agent, trajectory)`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

Mode = Literal["hotel", "airline"]
MODES: tuple[Mode, ...] = get_args(Mode)

Label = Literal["human", "agent", "synthetic", "unknown"]
"""Who acted, as far as it is known. `synthetic`: made by one of our drivers, whose name is in
`origin`; it is never taken for a person, however it behaves."""
LABELS: tuple[Label, ...] = get_args(Label)


@dataclass(frozen=True, slots=True)
class SessionEvent:
    """One act.

    Attributes:
        action: one of `bls.phantom.actions.ACTIONS`.
        item: the item's id; empty for an act on no item.
        ts_ms: Unix milliseconds.
        dwell_ms: how long it lasted, 0 where that means nothing.
    """

    action: str
    item: str
    ts_ms: int
    dwell_ms: int = 0


@dataclass(frozen=True, slots=True)
class Quote:
    """One price that was shown: micro-units of the shop's currency."""

    item: str
    price_micros: int
    ts_ms: int


@dataclass(frozen=True, slots=True)
class Session:
    """One visit.

    Attributes:
        experiment: the experiment whose condition it ran under; empty for none.
        condition: of that experiment.
        label: see `Label`.
        origin: who says so: a driver's name (`cheapest_first`), `import:<sheet>`, `operator`; empty
            for `unknown`.
        actor: for a synthetic session, what the driver imitates: `agent` or `human`; else empty.
        user_agent: SHA-256 of the header, salted; empty when unknown.
    """

    sid: str
    mode: Mode
    start_ms: int
    events: tuple[SessionEvent, ...]
    quotes: tuple[Quote, ...] = ()
    experiment: str = ""
    condition: str = ""
    label: Label = "unknown"
    origin: str = ""
    actor: Literal["agent", "human", ""] = ""
    user_agent: str = ""
