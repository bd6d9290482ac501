# SPDX-License-Identifier: Apache-2.0
"""Lines of `session.events` and `session.prices`, as they are written and as they are read again.

Every line of `session.events` says the session's mode, experiment, condition and label, so that any
part of it can be understood alone; one of `session.prices` says its mode. A gateway that starts
again knows its sessions from the lines of the last day; one that was only shown prices gets its
condition anew, by the same hash.
"""

from __future__ import annotations

import heapq
import logging
import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from bls.models.served import served_name
from bls.phantom.live import LiveSession
from bls.phantom.session import Quote, SessionEvent
from bls.settlement.segments import files

log = logging.getLogger("skynet.sessions")

EVENTS, PRICES = "session.events", "session.prices"
ACT, LABEL, IMPORT = "act", "label", "import"
VERSION = 1

Line = dict[str, Any]


def act_line(
    session: LiveSession,
    ts: float,
    event_id: str,
    event: SessionEvent,
    *,
    raw_action: str,
    meta: str,
    scored: bool = False,
    kind: str = ACT,
) -> bytes:
    """A line of one act.

    Args:
        ts: Unix seconds when it was taken.
        scored: whether the session's score is of just after this act.
        kind: `ACT`, or `IMPORT` for one of a sheet, whose session was never live here.
    """
    return orjson.dumps(
        {
            **_head(session, ts, event_id),
            "kind": kind,
            "action": event.action,
            "raw_action": raw_action,
            "item": event.item,
            "ts_ms": event.ts_ms,
            "dwell_ms": event.dwell_ms,
            "meta": meta,
            **_standing(session),
            "agent_probability": session.score if scored else None,
            "agent_version": served_name(session.served) if scored else "",
        }
    )


def label_line(session: LiveSession, ts: float, event_id: str) -> bytes:
    """A line that says who the session is from now on."""
    return orjson.dumps(
        {
            **_head(session, ts, event_id),
            "kind": LABEL,
            "action": "",
            "raw_action": "",
            "item": "",
            "ts_ms": int(ts * 1000),
            "dwell_ms": 0,
            "meta": "",
            **_standing(session),
            "agent_probability": None,
            "agent_version": "",
        }
    )


def price_line(
    session: LiveSession,
    ts: float,
    quote_id: str,
    quote: Quote,
    *,
    base_micros: int,
    currency: str,
    policy: str,
    version: str,
) -> bytes:
    """A line of one price that was shown."""
    return orjson.dumps(
        {
            "v": VERSION,
            "ts": round(ts, 6),
            "session_id": session.sid,
            "quote_id": quote_id,
            "mode": session.mode,
            "item": quote.item,
            "price_micros": quote.price_micros,
            "base_micros": base_micros,
            "currency": currency,
            "policy": policy,
            "version": version,
            "ts_ms": quote.ts_ms,
        }
    )


def lines_since(folder: Path, since: float) -> Iterator[Line]:
    """Lines of both streams taken from `since` on, in the order they were taken.

    What was erased, torn or is no line of ours is left out; all but the erased are counted, and
    their number is logged.
    """
    streams = (_stream(folder, name, since) for name in (EVENTS, PRICES))
    yield from heapq.merge(*streams, key=lambda line: float(line["ts"]))


def _stream(folder: Path, stream: str, since: float) -> Iterator[Line]:
    for path in files(folder, stream):
        if path.stat().st_mtime < since:
            continue
        left_out = 0
        with path.open("rb") as file:
            file.seek(_first(file.fileno(), since))
            for raw in file:
                line = _line(raw)
                if line is None:
                    left_out += not raw.startswith(_ERASED)
                elif line["ts"] >= since:
                    yield line | {"stream": stream}
        if left_out:
            log.warning("%d lines of %s are unreadable and left out", left_out, path.name)


_ERASED = b'{"erased":'
_LOOK = 1 << 14
"""Bytes read to find one line's time; the longest line has 2 kB."""


def _first(descriptor: int, since: float) -> int:
    """A place at the start of a line, at or before the first one taken since then: times rise."""
    low, high = 0, os.fstat(descriptor).st_size
    while high - low > _LOOK:
        middle = (low + high) // 2
        found = _after(descriptor, middle)
        if found is None or found[1] >= since:
            high = middle
        else:
            low = found[0]
    return low


def _after(descriptor: int, place: int) -> tuple[int, float] | None:
    """Start and time of the first whole line behind a place; None: there is none near."""
    data = os.pread(descriptor, _LOOK, place)
    start = data.find(b"\n") + 1
    while start and (end := data.find(b"\n", start)) >= 0:
        line = _line(data[start:end])
        if line is not None:
            return place + start, float(line["ts"])
        start = end + 1
    return None


def _line(raw: bytes) -> Line | None:
    try:
        line = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(line, dict) or line.get("v") != VERSION or "session_id" not in line:
        return None
    ts = line.get("ts")
    if not isinstance(ts, int | float) or isinstance(ts, bool) or not math.isfinite(ts):
        return None
    return line


def _head(session: LiveSession, ts: float, event_id: str) -> Line:
    return {
        "v": VERSION,
        "ts": round(ts, 6),
        "session_id": session.sid,
        "event_id": event_id,
        "mode": session.mode,
    }


def _standing(session: LiveSession) -> Line:
    label, origin, actor = session.standing
    return {
        "experiment": session.experiment,
        "condition": session.condition,
        "label": label,
        "origin": origin,
        "actor": actor,
        "user_agent": session.user_agent,
    }
