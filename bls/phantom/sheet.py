# SPDX-License-Identifier: Apache-2.0
"""Event sheets from elsewhere: CSV with one act a row, whose columns have many names.

A sheet has a session, an action and a time; it may have an item, how long the act lasted, and who
acted (`actor_type`, `record_type`, `is_agent`). Its labels have the origin `import:<name>`: whoever
made the sheet says so, and how it knew is the sheet's own bias.
"""

from __future__ import annotations

import csv
import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from bls.errors import SkynetError, invalid
from bls.limits import LIMITS
from bls.phantom.actions import canonical
from bls.phantom.live import Actor, Standing
from bls.phantom.session import Label, Mode, Session, SessionEvent
from bls.request import ID_PATTERN

COLUMNS: dict[str, tuple[str, ...]] = {
    "session": ("session_id", "session", "sid", "visit_id", "visit"),
    "action": ("action", "event", "event_type", "event_name", "action_type"),
    "time": ("ts_ms", "timestamp_ms", "timestamp", "time", "ts", "event_time", "created_at"),
    "item": ("item", "item_id", "product", "product_id", "sku"),
    "dwell": ("dwell_ms", "dwell", "duration_ms", "hover_ms"),
    "actor_type": ("actor_type", "actor", "label"),
    "record_type": ("record_type",),
    "is_agent": ("is_agent", "is_bot", "agent", "bot"),
}
"""What a column is for, by the names it may have."""

ORIGIN = "import:"
_NEEDED = ("session", "action", "time")
_WHO = ("actor_type", "record_type", "is_agent")
_LABELS: dict[str, Label] = {
    "human": "human",
    "person": "human",
    "user": "human",
    "real": "human",
    "agent": "agent",
    "bot": "agent",
    "ai": "agent",
    "crawler": "agent",
    "synthetic": "synthetic",
    "simulated": "synthetic",
    "unknown": "unknown",
    "": "unknown",
}
_TRUE: dict[str, Label] = {
    **dict.fromkeys(("1", "1.0", "true", "yes", "y", "t"), "agent"),
    **dict.fromkeys(("0", "0.0", "false", "no", "n", "f"), "human"),
    "": "unknown",
}
_MILLIS = 100_000_000_000
"""A number from here on is milliseconds: as seconds it would be of the year 5138."""
_DWELL_MS = 86_400_000
_ACTION = re.compile(r"[A-Za-z][A-Za-z0-9_ -]{0,63}")


@dataclass(frozen=True)
class Row:
    """One act of a sheet. `number`: its line, the head being line 1."""

    number: int
    sid: str
    raw_action: str
    event: SessionEvent
    label: Label
    imitates: Actor


@dataclass(frozen=True)
class Told:
    """A session of a sheet, its acts in the order of time.

    Attributes:
        acts: event id, action as the sheet names it, and the act. The id is of the sheet's name,
            the session and the act's place in it, so the same sheet makes the same ids.
    """

    session: Session
    acts: tuple[tuple[str, str, SessionEvent], ...]

    @property
    def standing(self) -> Standing:
        return Standing(self.session.label, self.session.origin, self.session.actor)


def read_sheet(path: Path, mode: Mode, name: str) -> list[Told]:
    """The sessions of a sheet, in the order of their first acts.

    Args:
        name: of the sheet, for its labels' origin.

    Raises:
        SkynetError: `unreadable_sheet`; `sheet_columns`, naming what is missing or there twice;
            `bad_row`, naming the line and the column.
    """
    found: dict[str, list[Row]] = {}
    for row in rows(path):
        found.setdefault(row.sid, []).append(row)
    sessions = [_session(sid, mode, name, told) for sid, told in found.items()]
    return sorted(sessions, key=lambda told: (told.session.start_ms, told.session.sid))


def rows(path: Path) -> Iterator[Row]:
    """The acts of a sheet as they stand in it. Raises as `read_sheet`."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file, strict=True)
            head = next(reader, [])
            columns = detect(head)
            for cells in reader:
                if cells:
                    yield _row(reader.line_num, dict(zip(head, cells, strict=False)), columns)
    except (OSError, UnicodeDecodeError, csv.Error) as fault:
        why = f"The sheet cannot be read: {type(fault).__name__}."
        raise invalid("unreadable_sheet", why) from None


def detect(head: Sequence[str]) -> dict[str, str]:
    """What each column is for -> its title. Raises `sheet_columns`."""
    plain: dict[str, str] = {}
    for title in head:
        key = re.sub(r"[^a-z0-9]+", "_", title.strip().lower()).strip("_")
        if key in plain:
            raise _columns(f"{title!r} is there twice")
        plain[key] = title
    found = {
        use: plain[match]
        for use, names in COLUMNS.items()
        if (match := next((one for one in names if one in plain), None)) is not None
    }
    for use in _NEEDED:
        if use not in found:
            raise _columns(f"no column for the {use}: one of {', '.join(COLUMNS[use])}")
    return found


def _row(number: int, cells: Mapping[str, str], columns: Mapping[str, str]) -> Row:
    told = {use: cells.get(title, "").strip() for use, title in columns.items()}
    sid, raw, item = told["session"], told["action"], told.get("item", "")
    if not re.fullmatch(ID_PATTERN, sid):
        raise _bad(number, columns["session"], "not an id")
    if not _ACTION.fullmatch(raw):
        raise _bad(number, columns["action"], "not an action")
    if item and not re.fullmatch(ID_PATTERN, item):
        raise _bad(number, columns["item"], "not an id")
    event = SessionEvent(
        canonical(raw),
        item,
        _time(number, columns["time"], told["time"]),
        _dwell(number, columns.get("dwell", ""), told.get("dwell", "")),
    )
    label, imitates = _who(number, columns, told)
    return Row(number, sid, raw, event, label, imitates)


def _time(number: int, column: str, text: str) -> int:
    """Unix milliseconds of a number, or of ISO 8601; without a zone it is UTC."""
    try:
        value = float(text)
    except ValueError:
        try:
            when = datetime.fromisoformat(text)
        except ValueError:
            raise _bad(number, column, "not a time") from None
        when = when if when.tzinfo is not None else when.replace(tzinfo=UTC)
        value = when.timestamp()
    millis = value if value >= _MILLIS else value * 1000
    if not 0 <= millis < 2**53:
        raise _bad(number, column, "not a time")
    return round(millis)


def _dwell(number: int, column: str, text: str) -> int:
    try:
        value = float(text or 0)
    except ValueError:
        value = -1.0
    if not 0 <= value <= _DWELL_MS:
        raise _bad(number, column, "not milliseconds of at most a day")
    return round(value)


def _who(number: int, columns: Mapping[str, str], told: Mapping[str, str]) -> tuple[Label, Actor]:
    """Columns may say different things of a session: `synthetic` and what it imitates."""
    said: set[Label] = set()
    for use in _WHO:
        if use in told:
            known = _TRUE if use == "is_agent" else _LABELS
            label = known.get(told[use].lower())
            if label is None:
                raise _bad(number, columns[use], "nobody we know")
            said.add(label)
    said.discard("unknown")
    if "synthetic" in said:
        others = said - {"synthetic"}
        return "synthetic", "human" if others == {"human"} else "agent"
    if len(said) > 1:
        raise _bad(number, columns[next(use for use in _WHO if use in told)], "two labels")
    return next(iter(said), "unknown"), ""


def _session(sid: str, mode: Mode, name: str, told: list[Row]) -> Told:
    first = told[0]
    for row in told:
        if (row.label, row.imitates) != (first.label, first.imitates):
            raise invalid("bad_row", f"Line {row.number}: the session had another label before.")
    if len(told) > LIMITS.session_events:
        raise invalid("bad_row", f"A session has more than {LIMITS.session_events} acts.")
    told = sorted(told, key=lambda row: row.event.ts_ms)  # stable: of one time, as they stand
    origin = "" if first.label == "unknown" else ORIGIN + name
    session = Session(
        sid,
        mode,
        told[0].event.ts_ms,
        tuple(row.event for row in told),
        label=first.label,
        origin=origin,
        actor=first.imitates,
    )
    acts = ((_event_id(name, sid, at), row.raw_action, row.event) for at, row in enumerate(told))
    return Told(session, tuple(acts))


def _event_id(name: str, sid: str, at: int) -> str:
    digest = hashlib.blake2b(f"{name}\n{sid}\n{at}".encode(), digest_size=12).hexdigest()
    return f"import-{digest}"


def _columns(why: str) -> SkynetError:
    return invalid("sheet_columns", f"The sheet's head does not fit: {why}.")


def _bad(number: int, column: str, why: str) -> SkynetError:
    return invalid("bad_row", f"Line {number}, {column}: {why}.")
