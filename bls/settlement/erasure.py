# SPDX-License-Identifier: Apache-2.0
"""Erases records from a ledger by request, with the server up or down; the chain stays whole.

Sealed files only are rewritten, each in one rename, every line with its length. The active files
are sealed first: by us when nobody holds the ledger's lock, else by its writer, who is asked with a
file. Doing it again changes nothing, so what a crash interrupted is done by repeating it.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from bls.errors import SkynetError
from bls.settlement.chain import GENESIS, link, plain_link, seal, split
from bls.settlement.erased import erase
from bls.settlement.ledger import LOCK, SEAL
from bls.settlement.record import STREAMS
from bls.settlement.segments import active_number, sealed, sealed_path

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
    wait_s: float = _WAIT_S,
) -> ErasedLines:
    """Erase every record that is `wanted` from the streams of a log folder.

    Args:
        needles: words of which a wanted record holds one; other lines are not even parsed.
        audit: the erasure's number, left in the lines (see `bls.settlement.erased`).

    Raises:
        SkynetError: `ledger_busy` when the server does not seal its files in time, `old_chain` for
            a line of the former rule, which only goes with its whole file.
    """
    done = ErasedLines()
    words = tuple(word.encode() for word in needles)
    streams = tuple(streams)
    if not any((folder / s).exists() or sealed(folder, s) for s in streams):
        return done
    seal_active(folder, streams, wait_s)
    for stream in streams:
        chain = GENESIS
        for path in sealed(folder, stream):
            text, count, chain = _without(path, chain, wanted, words, audit)
            if count:
                _replace(path, text)
                done.files += 1
                done.lines[stream] += count
            done.left += sum(1 for line in _lines(path) if _is_wanted(line, wanted, words))
    return done


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
    path: Path, chain: str, wanted: Wanted, words: tuple[bytes, ...], audit: str
) -> tuple[bytes, int, str]:
    """The file's content with wanted records erased, how many, and its last chain value."""
    lines, count = [], 0
    for line in _lines(path):
        parts, gone = split(line), _is_wanted(line, wanted, words)
        count += gone
        lines.append(_erased(line, parts, chain, audit) if gone else line)
        chain = parts[1] if parts is not None else chain
    return b"\n".join([*lines, b""]), count, chain


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


def _lines(path: Path) -> list[bytes]:
    return path.read_bytes().split(b"\n")[:-1]


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
