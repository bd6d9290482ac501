# SPDX-License-Identifier: Apache-2.0
"""One commit, tried until the lake has it: once, however often the store fails on the way.

A store that fails may have written what it was asked to. So before a commit is tried again its
progress is read: when it stands where this commit puts it, the commit is in. The Delta log refuses
a second commit of the same progress even if two writers pass that check at the same moment.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

import polars as pl

from bls.errors import SkynetError
from pipelines_dagster.defs.ingest.limits import IngestLimits
from pipelines_dagster.lake.lake import Lake

Progress = Mapping[str, int]
T = TypeVar("T")


class StoppedError(Exception):
    """The process is asked to end; what is not committed stays in Kafka."""


class Committer:
    """Writes to a lake that may be away for a while.

    Args:
        stop: set when the process is to end.
        retried: called for every attempt that the store failed.
    """

    def __init__(
        self,
        lake: Lake,
        limits: IngestLimits,
        stop: threading.Event,
        retried: Callable[[], None],
    ):
        self.lake = lake
        self._limits = limits
        self._stop = stop
        self._retried = retried

    def commit(
        self,
        table: str,
        rows: pl.DataFrame,
        progress: Progress,
        after: Mapping[str, int | None],
        origin: Mapping[str, str],
    ) -> int:
        """The version that has the rows. Raises `progress_moved`: they were made for another."""

        def attempt() -> int:
            try:
                return self.lake.append(table, rows, progress=progress, after=after, origin=origin)
            except SkynetError as fault:
                if fault.code != "progress_moved" or not self._has(table, progress):
                    raise
                return self._version(table)

        return self.patiently(attempt)

    def progress(self, table: str, names: list[str]) -> dict[str, int | None]:
        """`Lake.progress`, waited for."""
        return self.patiently(lambda: self.lake.progress(table, names))

    def patiently(self, step: Callable[[], T]) -> T:
        """Do it until the store answers. Raises `lake_unavailable` past `give_up_s`."""
        pauses = self._pauses()
        while True:
            try:
                return step()
            except SkynetError as fault:
                if fault.code != "lake_unavailable":
                    raise
                self._retried()
                pause = next(pauses, None)
                if pause is None:
                    raise
            if self._stop.wait(pause):
                raise StoppedError

    def _pauses(self) -> Iterator[float]:
        began, pause = time.monotonic(), self._limits.backoff_s
        give_up = self._limits.give_up_s
        while give_up is None or time.monotonic() - began < give_up:
            yield pause * random.uniform(0.5, 1.0)
            pause = min(2 * pause, self._limits.backoff_max_s)

    def _has(self, table: str, progress: Progress) -> bool:
        return self.lake.progress(table, list(progress)) == dict(progress)

    def _version(self, table: str) -> int:
        found = self.lake.open(table)
        return -1 if found is None else int(found.version())
