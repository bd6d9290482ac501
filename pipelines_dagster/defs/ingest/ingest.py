# SPDX-License-Identifier: Apache-2.0
"""Kafka to bronze, exactly once.

What a table has taken is written in the same commit as its rows: the next offset of every
partition, and the highest `seq` of every source. Nothing else is remembered, so a process may die
anywhere: the next one reads the marks of the table and goes on from there. Two that run at once
are safe too: the second to commit from the same marks is refused, and starts from the new ones.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl

from bls.errors import SkynetError
from bls.events.topics import TOPICS
from pipelines_dagster.defs.gdpr.late import strike_late
from pipelines_dagster.defs.gdpr.tombstones import Tombstones
from pipelines_dagster.defs.ingest import dead_letters
from pipelines_dagster.defs.ingest.columns import bronze_schema
from pipelines_dagster.defs.ingest.commit import Committer
from pipelines_dagster.defs.ingest.decode import Batch, decode
from pipelines_dagster.defs.ingest.ingested import read_ingested, taken_of, write_ingested
from pipelines_dagster.defs.ingest.limits import IngestLimits
from pipelines_dagster.defs.ingest.marks import fresh, offset_name, seq_names
from pipelines_dagster.defs.ingest.origin import Ranges, origin
from pipelines_dagster.defs.ingest.report import Report
from pipelines_dagster.defs.ingest.source import Place, Source
from pipelines_dagster.lake.lake import Lake

_log = logging.getLogger(__name__)

STEPS = ("begun", "polled", "decoded", "committed", "recorded")
"""What `step` is called with, in the order of a cycle; the tests die at each."""

_SESSION = ("kafka_unavailable", "out_of_range", "progress_moved")
"""Faults that another session with Kafka, from the marks in the lake, puts right."""


def bronze(topic: str) -> str:
    """The topic's table."""
    return f"bronze/{TOPICS[topic].table}"


class Ingest:
    """Reads topics and fills their tables; use one from one thread.

    Args:
        servers: of Kafka, `HOST:PORT,...`.
        ingested: where the relay is told what it need not send again; None: nowhere.
        step: called with the name of each step.
    """

    def __init__(
        self,
        lake: Lake,
        servers: str,
        topics: Iterable[str] = tuple(TOPICS),
        limits: IngestLimits | None = None,
        *,
        ingested: Path | None = None,
        step: Callable[[str], None] = lambda _: None,
        stop: threading.Event | None = None,
    ):
        self.lake = lake
        self.report = Report()
        self.stop = stop or threading.Event()
        self._servers = servers
        self._topics = tuple(topics)
        self._limits = limits or IngestLimits()
        self._ingested = ingested
        self._step = step
        self._commit = Committer(lake, self._limits, self.stop, self._retried)
        self._session: Source | None = None
        self._marks: dict[Place, int | None] = {}
        self._next: dict[Place, int] = {}
        self._cut: set[Place] = set()
        self._lost: dict[str, dict[int, int]] = defaultdict(dict)
        self._gone: dict[str, int] = defaultdict(int)
        self._sources: dict[str, set[str]] = defaultdict(set)
        self._taken = read_ingested(ingested) if ingested else {}

    def cycle(self, wait: bool = True) -> Report:
        """Poll once and commit what came. `wait`: for more records than are there already.

        Raises:
            SkynetError: `kafka_unavailable`, `out_of_range` or `progress_moved`, after which the
                next cycle begins a new session; `lake_unavailable` past `give_up_s`;
                `schema_violation`. `commit.StoppedError` when told to stop.
        """
        try:
            self._cycle(wait)
        except BaseException as fault:
            self.close()
            if isinstance(fault, SkynetError) and fault.code in _SESSION:
                self.report.restarts += 1
            raise
        return self.report

    def look(self) -> Report:
        """Where Kafka and the lake stand; nothing is taken. Raises like `cycle`."""
        try:
            session = self._session or self._begin()
            session.poll(1, self._limits.seconds, False, self.stop)
            self._look(session)
        finally:
            self.close()
        return self.report

    def close(self) -> None:
        """End the session; the next cycle begins another from the lake's marks."""
        if self._session is not None:
            self._session.close()
            self._session = None

    def _cycle(self, wait: bool) -> None:
        session = self._session or self._begin()
        self._step("begun")
        batches = self._poll(session, wait)
        self._step("polled")
        if not session.same_cluster():
            raise SkynetError("kafka_unavailable", "Kafka is another cluster now.", 503)
        for topic, batch in batches.items():
            self._take(session.cluster, topic, batch)
        self._look(session)
        if batches and self._ingested:
            self._tell(self._ingested, batches)
        self._step("recorded")

    def _poll(self, session: Source, wait: bool) -> dict[str, Batch]:
        try:
            return session.poll(self._limits.records, self._limits.seconds, wait, self.stop)
        except SkynetError:
            self._cut = set(session.out_of_range)
            raise

    def _begin(self) -> Source:
        """A session whose positions are what the lake says of this cluster."""
        session = Source(self._servers, self._topics)
        self._session = session
        self.report.cluster = session.cluster
        self._marks, self._next = {}, {}
        self._lost.clear()
        first = session.first()
        for topic in self._topics:
            partitions = [p for name, p in session.places if name == topic]
            names = {p: offset_name(session.cluster, topic, p) for p in partitions}
            marks = self._commit.progress(bronze(topic), list(names.values()))
            for partition, name in names.items():
                self._place((topic, partition), marks[name], first[topic, partition])
        self._cut = set()
        session.seek(self._next)
        self._look(session)
        return session

    def _place(self, place: Place, mark: int | None, first: int) -> None:
        """Where to read on. What Kafka no longer has is counted and goes into the next commit."""
        self._marks[place] = mark
        wanted = mark or 0
        if place in self._cut and wanted >= first:
            _log.warning("Kafka's log of %s:%d ends before what was read", *place)
            wanted = first  # its log was cut: what comes again has a known `seq`
        if wanted < first:
            self._lost[place[0]][place[1]] = first - wanted
            _log.warning("Kafka dropped %d unread messages of %s:%d", first - wanted, *place)
        self._next[place] = max(wanted, first)

    def _take(self, cluster: str, topic: str, batch: Batch) -> None:
        """One commit of a topic: rows, marks, origin."""
        ranges = self._ranges(topic, batch)
        offsets = {offset_name(cluster, topic, p): end for p, (_, end) in ranges.items()}
        decoded = decode(batch)
        if decoded.bad:
            self._bury(cluster, batch, decoded.bad, offsets)
        self._step("decoded")
        seen = self._commit.progress(bronze(topic), seq_names(topic, decoded.rows))
        new = fresh(topic, decoded.rows, seen)
        erased = self._commit.patiently(lambda: Tombstones.load(self.lake))
        rows = erased.filter(bronze(topic), new.rows)
        marks = {offset_name(cluster, topic, p): self._marks[topic, p] for p in ranges}
        version = self._commit.commit(
            bronze(topic),
            rows,
            {**offsets, **new.marks},
            {**marks, **seen},
            origin(topic, cluster, ranges, rows, self._lost[topic]),
        )
        self._step("committed")
        self._commit.patiently(lambda: strike_late(self.lake, bronze(topic), rows, erased))
        self._gone[topic] += sum(self._lost.pop(topic).values())
        for partition, (_, end) in ranges.items():
            self._marks[topic, partition] = self._next[topic, partition] = end
        self._sources[topic].update(decoded.rows["source"].unique())
        report = self.report.topic(topic)
        report.version = version
        report.commits += 1
        report.rows += len(rows)
        report.duplicates += new.duplicates
        report.disordered += new.disordered
        self._date(topic, rows)

    def _ranges(self, topic: str, batch: Batch) -> Ranges:
        found = {}
        for partition in np.unique(batch.partitions).tolist():
            last = int(batch.offsets[batch.partitions == partition].max())
            found[partition] = (self._next[topic, partition], last + 1)
        return found

    def _bury(
        self, cluster: str, batch: Batch, bad: dict[int, str], offsets: dict[str, int]
    ) -> None:
        """Commit the messages that are no events, those that are not there yet."""
        seen = self._commit.progress(dead_letters.TABLE, list(offsets))
        by_partition = {int(name.rpartition(":")[2]): at for name, at in seen.items()}
        rows = dead_letters.unseen(dead_letters.letters(cluster, batch, bad), by_partition)
        if len(rows):
            said = {"topic": batch.topic, "cluster": cluster, "rows": str(len(rows))}
            self._commit.commit(dead_letters.TABLE, rows, offsets, seen, said)
            self.report.topic(batch.topic).dead += len(rows)

    def _look(self, session: Source) -> None:
        """Where Kafka stands now."""
        end = session.end()
        for topic in self._topics:
            mine = {p: at for (name, p), at in self._next.items() if name == topic}
            report = self.report.topic(topic)
            report.offsets = mine
            report.lost = self._gone[topic] + sum(self._lost[topic].values())
            report.waiting = sum(max(0, end[topic, p] - at) for p, at in mine.items())
        self.report.caught_up = self.report.waiting == 0 and session.drained()
        self.report.reached = session.reached()

    def _date(self, topic: str, rows: pl.DataFrame) -> None:
        if len(rows):
            report = self.report.topic(topic)
            stamps = rows["ts"]
            newest = float(stamps.max() or 0)  # type: ignore[arg-type]
            report.newest = max(newest, report.newest) if report.newest > 0 else newest
            report.delay_s = time.time() - float(stamps.quantile(0.05) or 0)

    def _tell(self, path: Path, topics: Iterable[str]) -> None:
        for topic in topics:
            partitions = [p for name, p in self._next if name == topic]
            known = self._sources[topic] | set(self._taken.get(topic, {}))
            ask = partial(taken_of, self.lake, bronze(topic), topic, partitions, known)
            self._taken[topic] = self._commit.patiently(ask)
        write_ingested(path, self._taken)

    def _retried(self) -> None:
        self.report.retries += 1


def create_tables(lake: Lake, topics: Iterable[str] = tuple(TOPICS)) -> None:
    """Every bronze table, empty, so that readers find it before the first event."""
    for topic in topics:
        lake.create(bronze(topic), bronze_schema(topic))
