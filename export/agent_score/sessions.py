# SPDX-License-Identifier: Apache-2.0
"""Sessions whose actor is known, as the tensors `agent_score` reads after each of a few events.

A session counts as an agent's or a person's by `actor` where a driver made it, else by its label;
the others are left out. The score is read after every event, so prefixes are what it learns from.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bls.errors import SkynetError
from bls.phantom.features import SessionFeatures, places
from bls.phantom.recorded import read_sessions
from bls.phantom.session import Mode, Session
from export.errors import ExportError

F32 = NDArray[np.float32]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]
Orders = Callable[[Mode], Mapping[str, int]]

LENGTHS = (1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144, 233, 377)
"""Prefixes that are taken of a session, besides the whole of it."""


@dataclass(frozen=True)
class Prefixes:
    """Rows are prefixes, shortest first within a session; sessions are numbered from 0.

    Attributes:
        transitions, stats: f32 [n, 15, 14], [n, 16].
        session, length: number of its session, events in it: [n].
        agent, driver: of each session [s]; a driver's name is the session's origin.
    """

    transitions: F32
    stats: F32
    session: Ints
    length: Ints
    agent: Flags
    driver: NDArray[np.str_]

    def of(self, sessions: Flags) -> Flags:
        """Rows of the sessions that are marked."""
        return sessions[self.session]

    def at(self, events: int) -> Ints:
        """Of every session the row of its first `events` events, or of all where it has fewer."""
        fits = np.where(self.length <= events, self.length, 0)
        best = np.zeros(len(self.agent), np.int64)
        np.maximum.at(best, self.session, fits)
        return np.flatnonzero((fits > 0) & (fits == best[self.session]))

    def whole(self) -> Ints:
        """Of every session the row of all its events."""
        return self.at(int(self.length.max()))


def actor(session: Session) -> str:
    """`agent`, `human`, or empty where it is not known."""
    if session.label == "synthetic":
        return session.actor
    return session.label if session.label in ("agent", "human") else ""


def read(files: Iterable[Path]) -> list[Session]:
    """Sessions with a known actor and events. Raises `ExportError` `sessions_missing` for none."""
    found = [one for file in files for one in read_sessions(file) if one.events and actor(one)]
    if {actor(one) for one in found} != {"agent", "human"}:
        raise ExportError("sessions_missing", "sessions of both actors are needed")
    return found


def orders(mode: Mode) -> Mapping[str, int]:
    """The shipped catalogue's; empty where none is shipped."""
    try:
        return places(mode)
    except SkynetError:
        return {}


def prefixes(sessions: Sequence[Session], order: Orders = orders) -> Prefixes:
    """The prefixes of sessions, in their order."""
    rows = [
        (features, at, count)
        for at, session in enumerate(sessions)
        for features, count in _snapshots(session, order(session.mode))
    ]
    return Prefixes(
        np.stack([row[0][0] for row in rows]),
        np.stack([row[0][1] for row in rows]),
        np.array([row[1] for row in rows]),
        np.array([row[2] for row in rows]),
        np.array([actor(session) == "agent" for session in sessions]),
        np.array([session.origin or actor(session) for session in sessions]),
    )


def _snapshots(session: Session, order: Mapping[str, int]) -> Iterable[tuple[tuple[F32, F32], int]]:
    """After each of `LENGTHS` events and after all; quotes up to that moment are known."""
    features = SessionFeatures(order)
    wanted = {*LENGTHS, len(session.events)}
    quotes = iter(session.quotes)
    quote = next(quotes, None)
    for event in session.events:
        while quote is not None and quote.ts_ms <= event.ts_ms:
            features.quoted(quote)
            quote = next(quotes, None)
        features.push(event)
        if features.events in wanted:
            yield (features.transitions(), features.stats()), features.events
