# SPDX-License-Identifier: Apache-2.0
"""Reads one stream's lines in order, across sealing, and waits at the end for more.

The file being written, `auction.vcg`, becomes `auction.vcg.000001` when it is full; it is the same
open file, so nothing is read twice. What was removed unread is skipped, and counted.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

from bls.events.relay.place import START, Place
from bls.jsonlog import count_lines, removed_lines
from bls.settlement.segments import active_number, files, numbered, sealed_path

BEGINNING = {"segment": 0, "offset": 0, "shift": 0, "lines": 0}
"""State of a tail that has read nothing."""


@dataclass(frozen=True)
class Chunk:
    """Lines that follow each other in one file.

    Attributes:
        lines: without their newlines.
        seqs: a line's `Place.seq`.
        end: the place behind the last.
    """

    lines: list[bytes]
    seqs: list[int]
    end: Place


class Tail:
    """One stream of one log folder. Not thread-safe.

    Attributes:
        place: behind the last line that was read.
        read_lines: lines before `place` since the stream began, removed ones included.
        dropped: lines that were removed before they could be read.
        gaps: times that files were missing which nobody counted.
    """

    def __init__(self, folder: Path, stream: str) -> None:
        self._folder, self._stream = folder, stream
        self._shift = 0
        self._descriptor: int | None = None
        self._sealed = False
        self.place = START
        self.read_lines = 0
        self.dropped = self.gaps = 0

    @property
    def state(self) -> dict[str, int]:
        """What `restore` takes, for a checkpoint."""
        return {
            "segment": self.place.segment,
            "offset": self.place.offset,
            "shift": self._shift,
            "lines": self.read_lines,
        }

    def restore(self, state: dict[str, int]) -> None:
        """Go on where a checkpoint says. Raises `KeyError` or `TypeError` for what is none."""
        self.close()
        self.place = Place(int(state["segment"]), int(state["offset"]))
        self._shift, self.read_lines = int(state["shift"]), int(state["lines"])

    def seek(self, place: Place) -> None:
        """Go back, or to the oldest line there is; nothing counts as dropped by it."""
        self.close()
        present = numbered(self._folder, self._stream)
        first = (present[0][0] if present else 1) + self._shift
        self.place = max(place, Place(first, 0))
        self.read_lines = removed_lines(self._folder, self._stream)
        active = active_number(self._folder, self._stream), self._folder / self._stream
        for number, path in (*present, active):
            ahead = self.place.segment - self._shift - number
            with suppress(FileNotFoundError):
                if ahead > 0:
                    self.read_lines += count_lines(path)
                elif ahead == 0:
                    self.read_lines += count_lines(path, self.place.offset)

    def read(self, limit: int) -> Chunk | None:
        """The next lines, at most `limit` bytes of one file; None: there are none yet.

        A longer line comes in pieces, and so is no record: nothing that we write is that long.
        """
        while self._descriptor is not None or self._open():
            assert self._descriptor is not None
            data = os.pread(self._descriptor, limit, self.place.offset)
            whole = data.rfind(b"\n") + 1
            if whole or len(data) == limit:
                return self._chunk(data[:whole] if whole else data)
            if not self._is_sealed():
                return None
            if data and self._sealed:  # torn by a crash, and nobody closed it
                return self._chunk(data)
            if self._sealed:
                self.close()
                self.place = Place(self.place.segment + 1, 0)
            self._sealed = True  # read once more: lines came between the two looks
        return None

    def sync(self) -> None:
        """What was read last survives a loss of power from here on. Raises `OSError`.

        Else a checkpoint could be ahead of its file afterwards, and other lines stand there.
        """
        if self._descriptor is not None:
            os.fdatasync(self._descriptor)

    @property
    def lag(self) -> int:
        """Bytes that wait to be read."""
        waiting = 0
        last = active_number(self._folder, self._stream) + self._shift
        for path in reversed(files(self._folder, self._stream)):
            number = last
            if path.name != self._stream:
                number = int(path.name.rpartition(".")[2]) + self._shift
            if number < self.place.segment:
                break
            try:
                waiting += path.stat().st_size
            except FileNotFoundError:
                continue
            waiting -= self.place.offset if number == self.place.segment else 0
        return max(0, waiting)

    def close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
        self._sealed = False

    def _chunk(self, data: bytes) -> Chunk:
        lines = data.split(b"\n")
        if not lines[-1]:
            lines.pop()
        start = self.place.seq
        seqs = [start + end for end in accumulate(len(line) + 1 for line in lines)]
        self.place = Place(self.place.segment, self.place.offset + len(data))
        seqs[-1] = self.place.seq
        self.read_lines += data.count(b"\n")
        return Chunk(lines, seqs, self.place)

    def _is_sealed(self) -> bool:
        number = self.place.segment - self._shift
        return sealed_path(self._folder, self._stream, number).exists()

    def _open(self) -> bool:
        """Open the file of `place`; skips over files that are gone. False: nothing there yet."""
        present = dict(numbered(self._folder, self._stream))
        last = max(present, default=0) + 1
        number = self.place.segment - self._shift
        if number > last:  # somebody took the numbered files away: ours go on rising
            self._shift += number - last + 1
            self.read_lines = 0
            self._skip_to(min(present, default=1))
        elif number not in present and number < last:
            self._skip_to(min((n for n in present if n > number), default=last))
        number = self.place.segment - self._shift
        active = self._folder / self._stream
        try:
            descriptor = os.open(present.get(number, active), os.O_RDONLY)
        except FileNotFoundError:
            return False
        if number not in present and self._is_sealed():  # meanwhile: this may be the next one
            os.close(descriptor)
            return self._open()
        if os.fstat(descriptor).st_size < self.place.offset:  # another file of the same name
            self._shift += 1
            self.place = Place(self.place.segment + 1, 0)
            self.gaps += 1
        self._descriptor = descriptor
        return True

    def _skip_to(self, number: int) -> None:
        """The files before `number` are gone."""
        skipped = self.place != START or number > 1
        self.place = Place(number + self._shift, 0)
        removed = removed_lines(self._folder, self._stream)
        if removed > self.read_lines:
            self.dropped += removed - self.read_lines
            self.read_lines = removed
        elif skipped and not removed:
            self.gaps += 1
