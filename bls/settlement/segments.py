# SPDX-License-Identifier: Apache-2.0
"""The files of one append-only stream: `auction.vcg`, and what was sealed before it, in order.

A full file is renamed to `auction.vcg.000001`, `.000002`, ...; nothing here ever deletes or
rewrites one. How long they are kept is the operator's choice (seed: 180 days), but for the newest
sealed one: the number of the next follows from it.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path

from bls.settlement.chain import GENESIS, link, seal, split

_TAIL = 1 << 20
"""Bytes read from the end of a file to find its last whole line; the longest line is 100 kB."""


def numbered(folder: Path, stream: str) -> list[tuple[int, Path]]:
    """Sealed files of a stream with their numbers, oldest first."""
    number = re.compile(re.escape(stream) + r"\.(\d{6,})")
    found = [(int(m[1]), p) for p in folder.glob(f"{stream}.*") if (m := number.fullmatch(p.name))]
    return sorted(found)


def sealed(folder: Path, stream: str) -> list[Path]:
    """Sealed files of a stream, oldest first."""
    return [path for _, path in numbered(folder, stream)]


def sealed_path(folder: Path, stream: str, number: int) -> Path:
    """Where the segment of that number is once it is sealed."""
    return folder / f"{stream}.{number:06d}"


def active_number(folder: Path, stream: str) -> int:
    """The number that the file being written will have; the first is 1."""
    found = numbered(folder, stream)
    return found[-1][0] + 1 if found else 1


def open_whole(path: Path) -> tuple[int, int]:
    """Descriptor to append with, and size, of a file that ends with a newline."""
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
    size = os.fstat(descriptor).st_size
    if size and os.pread(descriptor, 1, size - 1) != b"\n":
        size += os.write(descriptor, b"\n")
    return descriptor, size


def files(folder: Path, stream: str) -> list[Path]:
    """All files of a stream in the order they were written."""
    active = folder / stream
    return [*sealed(folder, stream), *([active] if active.exists() else [])]


class Appender:
    """Writes one stream. Not thread-safe: the ledger's thread owns it.

    A torn last line, left by a crash, is closed with a newline and stays where it is: a reader
    reports it, and the chain goes on from the last whole line.
    """

    def __init__(self, folder: Path, stream: str, segment_bytes: int) -> None:
        self._path = folder / stream
        self._segment_bytes = segment_bytes
        self._pending = b""
        self._dirty = False
        self._descriptor, self._size = open_whole(self._path)
        self._number = active_number(folder, stream)
        self.chain = _last_chain(files(folder, stream))

    def add(self, bodies: list[bytes]) -> None:
        """Chain the lines and keep them until `write` succeeds."""
        lines = []
        for body in bodies:
            self.chain = link(self.chain, body)
            lines.append(seal(body, self.chain))
        self._pending += b"".join(lines)

    def write(self) -> None:
        """Write what is pending. Raises `OSError` with the rest still pending: call again."""
        while self._pending:
            written = os.write(self._descriptor, self._pending)
            self._pending = self._pending[written:]
            self._size += written
            self._dirty = True
        if self._size >= self._segment_bytes:
            self._roll()

    def sync(self) -> None:
        """What was written survives a crash of the machine from here on."""
        if self._dirty:
            os.fdatasync(self._descriptor)
            self._dirty = False

    def seal(self) -> None:
        """Rename what was written so far as if it were full; nothing may be pending."""
        if self._size:
            self._roll()

    def close(self) -> None:
        self.sync()
        os.close(self._descriptor)

    def _roll(self) -> None:
        self.sync()
        with suppress(FileNotFoundError):  # renamed already, before opening anew failed
            self._path.rename(sealed_path(self._path.parent, self._path.name, self._number))
            self._number += 1
        full = self._descriptor
        self._descriptor, self._size = open_whole(self._path)
        os.close(full)


def _last_chain(paths: list[Path]) -> str:
    """Chain value of the last whole line of a stream."""
    for path in reversed(paths):
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - _TAIL))
            lines = file.read().split(b"\n")
        for line in reversed(lines):
            parts = split(line)
            if parts is not None:
                return parts[1]
    return GENESIS
