# SPDX-License-Identifier: Apache-2.0
"""Sessions in a file, one a line: how traffic is kept, shipped with tests and trained from.

    {"sid": "...", "mode": "hotel", "start_ms": 1, "events": [["view_item", "h01", 5, 0], ...],
     "quotes": [["h01", 90000000, 3], ...], "label": "synthetic", "origin": "exhaustive",
     "actor": "agent"}

An event is `[action, item, ts_ms, dwell_ms]`, a quote `[item, price_micros, ts_ms]`, both in the
order of time. Fields at their default are left out. A name that ends in `.gz` is compressed; the
same sessions make the same bytes.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import IO, Any

from bls.errors import SkynetError, invalid
from bls.limits import LIMITS
from bls.phantom.actions import ACTIONS
from bls.phantom.session import LABELS, MODES, Quote, Session, SessionEvent

_TEXTS = ("experiment", "condition", "label", "origin", "actor", "user_agent")
_DEFAULTS = {one.name: one.default for one in fields(Session) if one.name in _TEXTS}
_NEEDED = {"sid", "mode", "start_ms", "events"}
_KNOWN = _NEEDED | {"quotes", *_TEXTS}
_FAULTS = (OSError, EOFError, zlib.error)


def write_sessions(path: Path, sessions: Iterable[Session]) -> int:
    """Writes a file anew, line by line as the sessions come; how many."""
    count = 0
    with path.open("wb") as raw, _packed(path, raw) as file:
        for session in sessions:
            file.write(to_line(session).encode() + b"\n")
            count += 1
    return count


def read_sessions(path: Path) -> Iterator[Session]:
    """Sessions of a file, lazily. Raises `unreadable_sessions`, and `bad_session` with the line."""
    number = 0
    try:
        with path.open("rb") as raw, _unpacked(path, raw) as file:
            for number, line in enumerate(file, 1):
                yield from_line(line, number)
    except _FAULTS as fault:
        raise invalid(
            "unreadable_sessions", f"{type(fault).__name__} after line {number} of the sessions."
        ) from None


def to_line(session: Session) -> str:
    """One session as JSON, no newline."""
    told: dict[str, Any] = {
        "sid": session.sid,
        "mode": session.mode,
        "start_ms": session.start_ms,
        "events": [[one.action, one.item, one.ts_ms, one.dwell_ms] for one in session.events],
    }
    if session.quotes:
        told["quotes"] = [[one.item, one.price_micros, one.ts_ms] for one in session.quotes]
    told |= {
        name: value
        for name, usual in _DEFAULTS.items()
        if (value := getattr(session, name)) != usual
    }
    return json.dumps(told, separators=(",", ":"), ensure_ascii=False)


def from_line(line: str | bytes, number: int = 1) -> Session:
    """The session of a line. Raises `bad_session`, naming the line."""
    try:
        return _session(json.loads(line))
    except (ValueError, RecursionError) as fault:
        why = str(fault) if isinstance(fault, _BadError) else "not the JSON of a session"
        raise SkynetError("bad_session", f"Line {number}: {why}.", 400, "sessions") from None


class _BadError(ValueError):
    """What is wrong, for the one who wrote the file."""


def _session(told: Any) -> Session:
    if not isinstance(told, dict):
        raise _BadError("it is an object")
    if absent := _NEEDED - told.keys():
        raise _BadError(f"without {', '.join(sorted(absent))}")
    if unknown := told.keys() - _KNOWN:
        raise _BadError(f"{len(unknown)} unknown fields")
    texts = {name: _text(told.get(name, usual), name) for name, usual in _DEFAULTS.items()}
    sid, mode = _text(told["sid"], "sid"), _text(told["mode"], "mode")
    if not sid or mode not in MODES:
        raise _BadError("a sid, and a mode of hotel or airline, are needed")
    _check_label(texts)
    events = tuple(_event(one) for one in _rows(told["events"], "events"))
    quotes = tuple(_quote(one) for one in _rows(told.get("quotes", []), "quotes"))
    if len(events) > LIMITS.session_events:
        raise _BadError(f"more than {LIMITS.session_events} events")
    for name, row in (("events", events), ("quotes", quotes)):
        times = [one.ts_ms for one in row]
        if times != sorted(times):
            raise _BadError(f"{name} are not in the order of time")
    start = _count(told["start_ms"], "start_ms")
    return Session(sid, mode, start, events, quotes, **texts)  # type: ignore[arg-type]


def _check_label(texts: dict[str, str]) -> None:
    """Who is known to have acted, by whom: see `Session`."""
    label, origin, actor = texts["label"], texts["origin"], texts["actor"]
    if label not in LABELS:
        raise _BadError("the label is unknown")
    if actor not in ("agent", "human", ""):
        raise _BadError("the actor is agent or human")
    if (label == "synthetic") != bool(actor):
        raise _BadError("a synthetic session, and no other, says what its driver imitates")
    if (label == "unknown") == bool(origin):
        raise _BadError("a label other than unknown, and no other, has an origin")


def _event(told: Any) -> SessionEvent:
    action, item, ts_ms, dwell_ms = _parts(told, 4, "an event")
    if _text(action, "action") not in ACTIONS:
        raise _BadError("an event of an unknown action")
    return SessionEvent(
        action, _text(item, "item"), _count(ts_ms, "ts_ms"), _count(dwell_ms, "dwell_ms")
    )


def _quote(told: Any) -> Quote:
    item, price, ts_ms = _parts(told, 3, "a quote")
    if not item:
        raise _BadError("a quote of no item")
    return Quote(_text(item, "item"), _count(price, "price_micros"), _count(ts_ms, "ts_ms"))


def _rows(told: Any, name: str) -> list[Any]:
    if not isinstance(told, list):
        raise _BadError(f"{name} are a list")
    return told


def _parts(told: Any, size: int, what: str) -> list[Any]:
    if not isinstance(told, list) or len(told) != size:
        raise _BadError(f"{what} has {size} parts")
    return told


def _text(told: Any, name: str) -> str:
    if not isinstance(told, str) or len(told) > 256:
        raise _BadError(f"{name} is a text of at most 256 characters")
    return told


def _count(told: Any, name: str) -> int:
    if type(told) is not int or not 0 <= told < 1 << 63:
        raise _BadError(f"{name} is a whole number of at least 0")
    return told


def _packed(path: Path, raw: IO[bytes]) -> IO[bytes]:
    """No name and no time in the header, so that equal sessions are equal files."""
    if path.suffix != ".gz":
        return raw
    return gzip.GzipFile("", "wb", 9, raw, mtime=0)  # type: ignore[return-value]


def _unpacked(path: Path, raw: IO[bytes]) -> IO[bytes]:
    return gzip.GzipFile(fileobj=raw) if path.suffix == ".gz" else raw  # type: ignore[return-value]
