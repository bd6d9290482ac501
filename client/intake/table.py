# SPDX-License-Identifier: Apache-2.0
"""Rows of a CSV or TSV file, one at a time, with line numbers and how far the file is read.

Quotes may hold separators and newlines (RFC 4180). A row that cannot be read is yielded as its
fault, and reading goes on behind it.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from bls.errors import invalid
from client.intake.faults import Fault

LINE_BYTES = 1 << 20
_SEPARATORS = "\t,;|"


@dataclass(frozen=True)
class Row:
    """Attributes:
    line: number of its last line in the file, from 1.
    share: of the file read so far, 0 to 1.
    cells: by header; empty when `fault` says why.
    """

    line: int
    share: float
    cells: dict[str, str]
    fault: Fault | None = None


class Table:
    """`header`, and the rows when iterated, once. Raises `bad_file` for what is no table."""

    def __init__(self, path: Path) -> None:
        try:
            self._size = max(1, path.stat().st_size)
            self._file = path.open("rb")
        except OSError as fault:
            raise invalid("bad_file", f"Cannot read the file: {fault.strerror}.") from None
        self._read = 0
        first = self._head()
        self._separator = max(_SEPARATORS, key=first.count)
        self.header = [name.strip() for name in next(self._csv([first]), [])]
        self._check()

    def _head(self) -> str:
        for line in _lines(self._file):
            self._read += len(line)
            try:
                return line.decode("utf-8-sig")
            except UnicodeDecodeError:
                raise invalid("bad_file", "The first line is not UTF-8 text.") from None
        raise invalid("bad_file", "The file is empty.")

    def _check(self) -> None:
        names = [name.lower() for name in self.header]
        if not any(names) or len(set(names)) != len(names):
            raise invalid("bad_file", "The first line must name every column, each once.")

    def __iter__(self) -> Iterator[Row]:
        with self._file:
            rows = self._csv(self._text())
            while True:
                try:
                    cells = next(rows)
                except StopIteration:
                    return
                except csv.Error:
                    yield self._row(rows, [], Fault.UNREADABLE)
                    continue
                if any(cells):
                    yield self._row(rows, cells, self._fault(cells))

    def _row(self, rows: _Reader, cells: list[str], fault: Fault | None) -> Row:
        named = {} if fault else dict(zip(self.header, cells, strict=True))
        return Row(rows.line_num + 1, self._read / self._size, named, fault)

    def _fault(self, cells: list[str]) -> Fault | None:
        if len(cells) != len(self.header):
            return Fault.FIELDS
        return Fault.NOT_UTF8 if any(map(_torn, cells)) else None

    def _text(self) -> Iterator[str]:
        for line in _lines(self._file):
            self._read += len(line)
            yield line.decode("utf-8", "surrogateescape")

    def _csv(self, lines: Iterator[str] | list[str]) -> _Reader:
        return _Reader(csv.reader(lines, delimiter=self._separator, strict=False))


class _Reader:
    """A csv reader, whose type has no public name."""

    def __init__(self, rows: Iterator[list[str]]) -> None:
        self._rows = rows

    @property
    def line_num(self) -> int:
        number: int = self._rows.line_num  # type: ignore[attr-defined]
        return number

    def __iter__(self) -> _Reader:
        return self

    def __next__(self) -> list[str]:
        return next(self._rows)


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """Lines; one that is longer than any table's comes in pieces."""
    while line := file.readline(LINE_BYTES):
        yield line


def _torn(cell: str) -> bool:
    """Whether bytes that are no UTF-8 are in it."""
    return any("\ud800" <= character <= "\udfff" for character in cell)
