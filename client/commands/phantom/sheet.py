# SPDX-License-Identifier: Apache-2.0
"""`skynet phantom import`: sessions of a CSV sheet, into the lake or into a file to train from."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import click
import httpx

from bls.errors import SkynetError, invalid
from bls.limits import LIMITS
from bls.request import NAME_PATTERN
from bls.settings import load_settings
from client.commands.options import url_option
from client.commands.progress import progress_bar
from client.thin import auth, http_error

if TYPE_CHECKING:
    from bls.phantom.sheet import Told

NOTE = "phantom.imports.json"
"""In the state folder: which sheets were imported, by name."""
_TIMEOUT_S = 30.0


@click.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--mode", type=click.Choice(["hotel", "airline"]), required=True, help="Of the shop.")
@click.option("--name", default="", help="Of the sheet, for its labels; else the file's.")
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the sessions to this .jsonl or .jsonl.gz file, and tell no gateway.",
)
@click.option("--again", is_flag=True, help="Also a sheet that was imported before.")
@url_option
def import_sheet(
    *, file: Path, mode: Any, name: str, out: Path | None, again: bool, url: str
) -> None:
    """Import the sessions of the event sheet FILE.

    It has columns for session, action and time, and may have item, dwell_ms, and who acted
    (actor_type, record_type or is_agent); see docs/phantom_ingest.md. Sent to the gateway, they
    come into the lake as every event does. A sheet comes in once: the ids of its events follow
    from its name, and a sheet of the same name is taken again only with --again.
    """
    from bls.phantom.sheet import read_sheet  # noqa: PLC0415

    name = name or _name_of(file)
    if not re.fullmatch(NAME_PATTERN, name):
        raise click.BadParameter("must be lower case letters, digits and _, at most 64")
    sessions = read_sheet(file, mode, name)
    if out is not None:
        from bls.phantom.recorded import write_sessions  # noqa: PLC0415

        count = write_sessions(out, (told.session for told in sessions))
        click.echo(f"{count} sessions written; {_labels(sessions)}")
        return
    note, digest = load_settings().state / NOTE, hashlib.sha256(file.read_bytes()).hexdigest()
    known = _noted(note)
    if name in known and not again:
        same = "this sheet" if known[name] == digest else "another sheet of this name"
        raise invalid("imported_before", f"{same.capitalize()} was imported before (--again).")
    new, before = _send(url, sessions)
    _note(note, known | {name: digest})
    click.echo(f"{len(sessions)} sessions, {new} events new, {before} known; {_labels(sessions)}")


def _send(url: str, sessions: Sequence[Told]) -> tuple[int, int]:
    """(new, told before) of all events. Raises `ReplyError`, `httpx.HTTPError`."""
    new = before = 0
    with (
        progress_bar("importing") as show,
        httpx.Client(base_url=url.rstrip("/"), headers=auth(), timeout=_TIMEOUT_S) as http,
    ):
        for number, told in enumerate(sessions, 1):
            path = f"/v1/sessions/{quote(told.session.sid, safe='')}/import"
            for body in bodies(told):
                answer = http.post(path, json=body)
                if not answer.is_success:
                    raise http_error(answer.status_code, answer.content)
                new += answer.json()["accepted"]
                before += answer.json()["duplicates"]
            show(number / len(sessions), told.session.sid)
    return new, before


def bodies(told: Told) -> Iterator[dict[str, Any]]:
    """The requests that tell a session."""
    label, origin, actor = told.standing
    head: dict[str, Any] = {"mode": told.session.mode, "label": label}
    head |= {"origin": origin} if origin else {}
    head |= {"actor": actor} if actor else {}
    size = LIMITS.events_per_request
    for first in range(0, len(told.acts), size):
        events = [
            {
                "event_id": event_id,
                "action": raw,
                "ts_ms": event.ts_ms,
                "dwell_ms": event.dwell_ms,
                **({"item": event.item} if event.item else {}),
            }
            for event_id, raw, event in told.acts[first : first + size]
        ]
        yield {**head, "events": events}


def _labels(sessions: Sequence[Told]) -> str:
    counts = Counter(told.session.label for told in sessions)
    return ", ".join(f"{count} {label}" for label, count in sorted(counts.items())) or "none"


def _name_of(file: Path) -> str:
    """A name of the file's own, as near as names allow."""
    return re.sub(r"[^a-z0-9]+", "_", file.stem.lower()).strip("_")[:64] or "sheet"


def _noted(note: Path) -> dict[str, str]:
    """name -> SHA-256 of the sheet. Raises `bad_note`."""
    try:
        return {str(name): str(digest) for name, digest in json.loads(note.read_text()).items()}
    except FileNotFoundError:
        return {}
    except (ValueError, AttributeError):
        raise SkynetError("bad_note", f"{NOTE} of the state folder is no JSON.", 500) from None


def _note(note: Path, known: dict[str, str]) -> None:
    """At once or not at all."""
    note.parent.mkdir(parents=True, exist_ok=True)
    new = note.with_name(f"{note.name}.new")
    new.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n")
    new.replace(note)
