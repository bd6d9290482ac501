# SPDX-License-Identifier: Apache-2.0
"""Keeps the file of the budgets while disks fill up, and knows when it must not be believed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from bls.brain.budget.book import Book, DamagedError, Line
from bls.errors import SkynetError


class Recorder:
    """Not thread-safe.

    Args:
        failed: told of every fault.

    Attributes:
        lines: what the file held when it was opened.
        faulty: the file is damaged, unreadable or closed: nothing is known.
    """

    def __init__(self, file: Path, failed: Callable[[Exception], None]) -> None:
        self._failed = failed
        self._waiting: list[Line] = []
        self._book: Book | None = None
        self.lines: list[Line] = []
        self.faulty = False
        try:
            self._book = Book(file)
            self.lines = self._book.lines
        except (OSError, DamagedError) as fault:
            self.distrust(fault)

    def distrust(self, fault: Exception) -> None:
        """From here on nothing is known and nothing is written."""
        self.faulty = True
        self._failed(fault)

    def now(self, line: Line) -> None:
        """Write a line before going on. Raises `budget_stalled`; then it is not written."""
        if self._flush():
            self._waiting.append(line)
            if self._flush():
                return
            self._waiting.pop()
        raise SkynetError("budget_stalled", "Spending cannot be recorded now.", 503)

    def later(self, line: Line) -> None:
        """Write a line, or keep it until the disk takes it. Only for settlements: one that is
        lost in a crash leaves its hold on the disk, so the money stays held."""
        self._waiting.append(line)
        self._flush()

    def close(self) -> None:
        """Write what waits and let go of the file."""
        if self._book is not None:
            self._flush()
            self._book.close()
        self._book, self.faulty = None, True

    def _flush(self) -> bool:
        """Whether everything is written, in order."""
        if self._book is None or self.faulty:
            return False
        try:
            while self._waiting:
                self._book.append(self._waiting[0])
                del self._waiting[0]
            self._book.sync()
        except OSError as fault:
            self._failed(fault)
        return not self._waiting
