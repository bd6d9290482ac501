# SPDX-License-Identifier: Apache-2.0
"""Erases records from a ledger by request, with the server up or down; the chain stays whole.

Sealed files are rewritten, each in one rename, every line with its length. The active files are
sealed first: by us when nobody holds the ledger's lock, else by its writer, who is asked with a
file. A stream that has another writer (clicks) is not sealed: its active file is changed in place,
line by line, which its writer, who only appends, need not know.
Doing it again changes nothing, so what a crash interrupted is done by repeating it.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from bls.errors import SkynetError
from bls.settlement.chain import GENESIS, link, plain_link, seal, split
from bls.settlement.erased import erase
from bls.settlement.ledger import LOCK, SEAL
from bls.settlement.record import STREAMS
from bls.settlement.segments import active_number, files, sealed, sealed_path

Json = dict[str, Any]
Wanted = Callable[[Json], bool]

_WAIT_S = 15.0
_POLL_S = 0.05


@dataclass
class ErasedLines:
    """Lines erased by stream, the files rewritten for it, and wanted lines found afterwards."""

    lines: Counter[str] = field(default_factory=Counter)
    files: int = 0
    left: int = 0


def erase_records(
    folder: Path,
    wanted: Wanted,
    needles: Iterable[str],
    audit: str,
    *,
    streams: Iterable[str] = STREAMS,
    own_writer: Iterable[str] = (),
    wait_s: float = _WAIT_S,
) -> ErasedLines:
    """Erase every record that is `wanted` from the streams of a log folder.

    Args:
        needles: words of which a wanted record holds one; other lines are not even parsed.
        audit: the erasure's number, left in the lines (see `bls.settlement.erased`).
        own_writer: chained streams besides that the ledger does not write.

    Raises:
        SkynetError: `ledger_busy` when the server does not seal its files in time, `old_chain` for
            a line of the former rule, which only goes with its whole file.
    """
    done = ErasedLines()
    words = tuple(word.encode() for word in needles)
    streams = tuple(streams)
    if any(files(folder, stream) for stream in streams):
        seal_active(folder, streams, wait_s)
    for stream in (*streams, *own_writer):
        listed = sealed if stream in streams else files
        while True:
            before = listed(folder, stream)
            with suppress(FileNotFoundError):  # sealed, and so renamed, meanwhile
                left = _erase_stream(before, stream, done, wanted=wanted, words=words, audit=audit)
                if listed(folder, stream) == before:
                    break
        done.left += left
    done.lines = +done.lines
    return done


def _erase_stream(
    paths: list[Path],
    stream: str,
    done: ErasedLines,
    *,
    wanted: Wanted,
    words: tuple[bytes, ...],
    audit: str,
) -> int:
    """One look at a stream's files; wanted lines still there. Raises `FileNotFoundError`."""
    chain, found = GENESIS, 0
    for path in paths:
        chain, count = _erase_file(path, chain, wanted, words, audit)
        done.files += count > 0
        done.lines[stream] += count
        left = _lines(path.read_bytes())
        found += sum(1 for line in left if _is_wanted(line, wanted, words))
    return found


def _erase_file(
    path: Path, chain: str, wanted: Wanted, words: tuple[bytes, ...], audit: str
) -> tuple[str, int]:
    """The file's last chain value, and how many of its lines were erased."""
    descriptor = os.open(path, os.O_RDWR)  # it may be sealed, and so renamed, meanwhile
    try:
        before = _lines(os.pread(descriptor, os.fstat(descriptor).st_size, 0))
        after, chain = _without(before, chain, wanted, words, audit)
        count = sum(old != new for old, new in zip(before, after, strict=True))
        if count and path.suffix[1:].isdigit():
            _replace(path, b"\n".join([*after, b""]))
        elif count:
            _overwrite(descriptor, before, after)
    finally:
        os.close(descriptor)
    return chain, count


def _overwrite(descriptor: int, before: list[bytes], after: list[bytes]) -> None:
    place = 0
    for old, new in zip(before, after, strict=True):
        if old != new:
            os.pwrite(descriptor, new, place)
        place += len(old) + 1
    os.fsync(descriptor)


def seal_active(folder: Path, streams: Iterable[str] = STREAMS, wait_s: float = _WAIT_S) -> None:
    """Every record written before this call is in a sealed file. Raises `ledger_busy`."""
    asked, deadline = folder / SEAL, time.monotonic() + wait_s
    with (folder / LOCK).open("ab") as lock:
        asked.touch()
        while asked.exists():
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                if time.monotonic() > deadline:
                    asked.unlink(missing_ok=True)
                    why = "The server does not seal its billing records; try again."
                    raise SkynetError("ledger_busy", why, 503) from None
                time.sleep(_POLL_S)
            else:
                for stream in streams:
                    _seal(folder / stream)
                asked.unlink(missing_ok=True)


def _seal(active: Path) -> None:
    if active.exists() and active.stat().st_size:
        number = active_number(active.parent, active.name)
        active.rename(sealed_path(active.parent, active.name, number))


def _without(
    before: list[bytes], chain: str, wanted: Wanted, words: tuple[bytes, ...], audit: str
) -> tuple[list[bytes], str]:
    """The lines with wanted records erased, and their last chain value."""
    lines = []
    for line in before:
        parts, gone = split(line), _is_wanted(line, wanted, words)
        lines.append(_erased(line, parts, chain, audit) if gone else line)
        chain = parts[1] if parts is not None else chain
    return lines, chain


def _erased(line: bytes, parts: tuple[bytes, str] | None, chain: str, audit: str) -> bytes:
    if parts is None:  # torn by a crash: no part of the chain, so nothing of it is needed
        return b" " * len(line)
    body, stated = parts
    if plain_link(chain, body) == stated and link(chain, body) != stated:
        why = "A record is of the former chain: only its whole file can be removed."
        raise SkynetError("old_chain", why, 409)
    return seal(erase(body, audit), stated)[:-1]


def _is_wanted(line: bytes, wanted: Wanted, words: tuple[bytes, ...]) -> bool:
    """A torn line that holds one of the words is wanted: nobody can say whose it is."""
    if not any(word in line for word in words):
        return False
    parts = split(line)
    if parts is None:
        return True
    try:
        record = orjson.loads(parts[0])
    except orjson.JSONDecodeError:
        return True
    return isinstance(record, dict) and wanted(record)


def _lines(text: bytes) -> list[bytes]:
    """Whole lines, without their newlines."""
    return text.split(b"\n")[:-1]


def _replace(path: Path, text: bytes) -> None:
    """The file anew, of the same length, in one step that survives a crash of the machine."""
    fresh = path.with_name(f"{path.name}.erasing")
    with fresh.open("wb") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    if fresh.stat().st_size != path.stat().st_size:
        raise SkynetError("internal", "An erased file has another length.", 500)
    fresh.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
