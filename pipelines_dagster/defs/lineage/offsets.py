# SPDX-License-Identifier: Apache-2.0
"""Which Kafka offsets a version of a bronze table holds, and whether they follow without a gap.

Ingest notes on each commit the range it took of every partition, `[first, next)`, rows or not. A
range begins where the last one of its partition ended; a new cluster counts from its own beginning.
What ingest says that Kafka had dropped before it could be read (`lost`) is a gap too, a known one.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pipelines_dagster.defs.lineage.graph import Gap
from pipelines_dagster.lake.lake import Lake


@dataclass(frozen=True)
class Span:
    """Offsets `[first, next)` of a partition, taken in `commits` commits."""

    topic: str
    cluster: str
    partition: int
    first: int
    next: int
    commits: int

    @property
    def name(self) -> str:
        return f"{self.topic}/{self.partition} [{self.first}, {self.next})"


@dataclass(frozen=True)
class _Taken:
    version: int
    topic: str
    cluster: str
    ranges: Mapping[int, tuple[int, int]]
    lost: Mapping[int, int]


def spans_of(lake: Lake, table: str, version: int) -> tuple[list[Span], list[Gap]]:
    """Everything taken up to a version, by cluster and partition, and where it has gaps."""
    reached: dict[tuple[str, str, int], Span] = {}
    gaps: list[Gap] = []
    commits = list(_commits(lake, table, version))
    if commits and commits[0].version > 0 and _forgotten(lake, table, commits[0].version):
        gaps.append(Gap(f"{table} before version {commits[0].version}", "the log has forgotten it"))
    for taken in commits:
        for partition, (first, after) in sorted(taken.ranges.items()):
            key = (taken.topic, taken.cluster, partition)
            span = reached.get(key)
            if span is not None and first != span.next:
                gaps.append(_gap(taken, partition, span.next, first))
            if taken.lost.get(partition):
                where = f"{_place(taken, partition)} before {first}"
                gaps.append(Gap(where, f"Kafka had dropped {taken.lost[partition]} messages"))
            begin, count = (first, 0) if span is None else (span.first, span.commits)
            reached[key] = Span(*key, begin, after, count + 1)
    if not reached:
        gaps.append(Gap(f"{table} version {version}", "no commit says what it took"))
    return [reached[key] for key in sorted(reached)], gaps


def _commits(lake: Lake, table: str, version: int) -> Iterator[_Taken]:
    """Commits that took something from Kafka, oldest first."""
    found = lake.open(table)
    history = [] if found is None else found.history()
    for commit in sorted(history, key=lambda one: int(one["version"])):
        noted = commit.get("ranges") or commit.get("offsets")
        if int(commit["version"]) <= version and noted:
            yield _Taken(
                int(commit["version"]),
                str(commit.get("topic", table)),
                str(commit.get("cluster", "")),
                {int(p): (int(a), int(b)) for p, (a, b) in json.loads(noted).items()},
                {int(p): int(n) for p, n in json.loads(commit.get("lost") or "{}").items()},
            )


def _forgotten(lake: Lake, table: str, first: int) -> bool:
    """Whether versions before `first` are missing from the log, not merely silent."""
    found = lake.open(table)
    known = {int(one["version"]) for one in found.history()} if found is not None else set()
    return not set(range(first)) <= known


def _gap(taken: _Taken, partition: int, expected: int, first: int) -> Gap:
    low, high = sorted((expected, first))
    why = "no commit took them" if first > expected else "two commits took them"
    return Gap(f"{_place(taken, partition)} offsets [{low}, {high}), version {taken.version}", why)


def _place(taken: _Taken, partition: int) -> str:
    return f"{taken.topic} cluster {taken.cluster} partition {partition}"
