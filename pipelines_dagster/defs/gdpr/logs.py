# SPDX-License-Identifier: Apache-2.0
"""Debug streams on the serving host, changed in place: a server goes on appending to them.

A line of the subject becomes blanks of its length (`{"erased":"..."}` where that fits), so no
place in a file moves. In a text log the id alone is struck out. A crash in the middle leaves a line
half struck out; doing it again finishes it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from pipelines_dagster.defs.gdpr.audit import STREAM, Step
from pipelines_dagster.defs.gdpr.records import ALL
from pipelines_dagster.defs.gdpr.subject import Kind, Subject

PLACE = "logs"
_LEDGER = re.compile("|".join(rf"{re.escape(stream)}(\.\d+|\.erasing)*" for stream in ALL))
_TEXT = (".txt", ".csv")
_PART = 1 << 20


def erase_logs(folders: list[Path], subject: Subject, audit: str) -> Step:
    """Strike the subject out of every debug file in `folders`."""
    removed = files = scanned = found = 0
    for path in _debug_files(folders):
        scanned += 1
        count = _strike(path, subject, audit)
        removed += count
        files += count > 0
        found += sum(1 for _ in _wanted(path, subject))
    return Step(PLACE, removed=removed, files=files, scanned=scanned, found=found)


def count_lines(folders: list[Path], subject: Subject) -> int:
    """Lines that would be struck out."""
    return sum(1 for path in _debug_files(folders) for _ in _wanted(path, subject))


def _debug_files(folders: list[Path]) -> Iterator[Path]:
    for folder in folders:
        for path in sorted(folder.glob("*")):
            ours = path.name == STREAM or path.name.startswith(f"{STREAM}.")
            if path.is_file() and not _LEDGER.fullmatch(path.name) and not ours:
                yield path


def _strike(path: Path, subject: Subject, audit: str) -> int:
    count = 0
    for place, line in list(_wanted(path, subject)):
        fresh = _struck(path, line, subject, audit)
        descriptor = os.open(path, os.O_WRONLY)
        try:
            os.pwrite(descriptor, fresh, place)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        count += 1
    return count


def _struck(path: Path, line: bytes, subject: Subject, audit: str) -> bytes:
    """What takes the line's place, of its length."""
    if path.suffix in _TEXT:
        return _token(subject).sub(lambda found: b"*" * len(found[0]), line)
    note = f'{{"erased":"{audit}"'.encode()
    if len(note) >= len(line):
        return b" " * len(line)
    return note.ljust(len(line) - 1) + b"}"


def _wanted(path: Path, subject: Subject) -> Iterator[tuple[int, bytes]]:
    """(offset, line without its newline) of every line of the subject."""
    word, place = subject.value.encode(), 0
    with path.open("rb") as file:
        for line in file:
            if word in line and _is_wanted(path, line, subject):
                yield place, line.rstrip(b"\n")
            place += len(line)


def _is_wanted(path: Path, line: bytes, subject: Subject) -> bool:
    if path.suffix in _TEXT:  # an advertiser's name may be a plain word of a text
        return subject.kind is not Kind.ADV and _token(subject).search(line) is not None
    try:
        return _names(orjson.loads(line), subject)
    except orjson.JSONDecodeError:
        return _token(subject).search(line) is not None


def _token(subject: Subject) -> re.Pattern[bytes]:
    """The id as a word of its own."""
    return re.compile(rb"(?<![\w.:-])" + re.escape(subject.value.encode()) + rb"(?![\w.:-])")


def _names(value: Any, subject: Subject) -> bool:
    """Whether the id is a value or a name anywhere in it, also in a line kept as text."""
    if isinstance(value, dict):
        return any(_names(x, subject) for pair in value.items() for x in pair)
    if isinstance(value, list):
        return any(_names(x, subject) for x in value)
    if not isinstance(value, str):
        return False
    if subject.kind is Kind.CONV and value.startswith(f"{subject.value} "):
        return True
    return value == subject.value or f'"{subject.value}"' in value
