# SPDX-License-Identifier: Apache-2.0
"""What a commit of bronze rows says of itself: the way back from a row to Kafka.

`ranges` are of everything the commit took from Kafka, also what became no row: the ranges of a
table's commits follow each other without a hole, unless `lost` says what Kafka had dropped.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from pipelines_dagster.lake.content import content_sha256
from pipelines_dagster.lake.origins import Origin

Ranges = dict[int, tuple[int, int]]
"""First offset and next offset, by partition."""


def origin(
    topic: str, cluster: str, ranges: Ranges, rows: pl.DataFrame, lost: Mapping[int, int]
) -> dict[str, str]:
    """Written with the commit. `sha256` is of the rows' content, in the order of the commit."""
    said = {
        "topic": topic,
        "cluster": cluster,
        "ranges": json.dumps({str(p): list(ranges[p]) for p in sorted(ranges)}),
        "rows": str(len(rows)),
        "sha256": content_sha256(rows),
    }
    if lost:
        said["lost"] = json.dumps({str(p): lost[p] for p in sorted(lost)})
    return said


@dataclass(frozen=True)
class Hole:
    """Offsets [first, next) of a partition that no commit took."""

    cluster: str
    partition: int
    first: int
    next: int


def holes(commits: list[Origin]) -> list[Hole]:
    """Where the ranges of a table's commits do not follow each other."""
    reached: dict[tuple[str, int], int] = {}
    found = []
    for commit in commits:
        if "ranges" not in commit.origin:
            continue
        cluster = commit.origin["cluster"]
        for name, (first, after) in json.loads(commit.origin["ranges"]).items():
            place = (cluster, int(name))
            expected = reached.get(place, first)
            if first > expected:
                found.append(Hole(*place, expected, first))
            reached[place] = after
    return found
