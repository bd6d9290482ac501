# SPDX-License-Identifier: Apache-2.0
"""`<logs>/ingested.json`: what the lake has of each source, so that the relay need not resend it.

    {"auction.bids": {"<source>": seq}}

Everything of a source up to its `seq` is in the lake. An event is in one of several partitions and
partitions are taken independently, so that is the lowest of its marks, and a source that is not in
every partition yet has none: the relay sends it whole again, and ingest leaves out what it has.
"""

from __future__ import annotations

import json
from pathlib import Path

from pipelines_dagster.defs.ingest.marks import seq_name
from pipelines_dagster.defs.ingest.metrics import write_text
from pipelines_dagster.lake.lake import Lake

Taken = dict[str, dict[str, int]]

FILE = "ingested.json"


def read_ingested(path: Path) -> Taken:
    """What the file says; nothing when there is none, or it is not one of ours."""
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {
        str(topic): {str(s): int(seq) for s, seq in sources.items() if isinstance(seq, int)}
        for topic, sources in found.items()
        if isinstance(sources, dict)
    }


def write_ingested(path: Path, taken: Taken) -> None:
    """Atomically."""
    write_text(path, json.dumps(taken, sort_keys=True) + "\n")


def taken_of(
    lake: Lake, table: str, topic: str, partitions: list[int], sources: set[str]
) -> dict[str, int]:
    """The lowest mark of every source that has one in every partition."""
    names = {s: [seq_name(topic, p, s) for p in partitions] for s in sorted(sources)}
    marks = lake.progress(table, [name for found in names.values() for name in found])
    lowest = {}
    for source, found in names.items():
        seqs = [seq for name in found if (seq := marks[name]) is not None]
        if seqs and len(seqs) == len(partitions):
            lowest[source] = min(seqs)
    return lowest
