# SPDX-License-Identifier: Apache-2.0
"""The report as Prometheus text, for a textfile collector or a port."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable
from pathlib import Path

from pipelines_dagster.defs.ingest.report import Report, TopicReport

_BY_TOPIC: tuple[tuple[str, str, str, Callable[[TopicReport, float], float]], ...] = (
    (
        "orch_kafka_lag_seconds",
        "gauge",
        "How far the lake is behind: age of the newest event taken while more waits, else 0.",
        lambda topic, now: topic.lag_s(now),
    ),
    (
        "orch_kafka_lag_records",
        "gauge",
        "Messages in Kafka that are not in the lake.",
        lambda topic, _: topic.waiting,
    ),
    (
        "orch_ingest_newest_age_seconds",
        "gauge",
        "Age of the newest event taken, also of a topic that is quiet.",
        lambda topic, now: now - topic.newest,
    ),
    (
        "orch_ingest_delay_seconds",
        "gauge",
        "From event to lake, 95th percentile of the last commit's rows.",
        lambda topic, _: topic.delay_s,
    ),
    ("orch_ingest_rows_total", "counter", "Rows committed.", lambda topic, _: topic.rows),
    (
        "orch_ingest_duplicates_total",
        "counter",
        "Events left out because they were taken before.",
        lambda topic, _: topic.duplicates,
    ),
    (
        "orch_ingest_disordered_total",
        "counter",
        "Events behind a later one of their source: the relay broke its order.",
        lambda topic, _: topic.disordered,
    ),
    (
        "orch_ingest_dead_letters_total",
        "counter",
        "Messages that are no events.",
        lambda topic, _: topic.dead,
    ),
    (
        "orch_ingest_lost_total",
        "counter",
        "Messages that Kafka dropped before they were read.",
        lambda topic, _: topic.lost,
    ),
    ("orch_ingest_commits_total", "counter", "Commits.", lambda topic, _: topic.commits),
)


def prometheus(report: Report, now: float | None = None) -> str:
    """The exposition text."""
    now = time.time() if now is None else now
    lines = []
    for name, kind, text, value in _BY_TOPIC:
        lines += [f"# HELP {name} {text}", f"# TYPE {name} {kind}"]
        for topic, found in sorted(report.topics.items()):
            number = value(found, now)
            if not math.isnan(number):
                lines.append(f'{name}{{topic="{topic}"}} {number:.15g}')
    for name, text, number in (
        ("orch_s3_retry_total", "Commits tried again because the store failed.", report.retries),
        ("orch_ingest_restarts_total", "Kafka sessions begun again.", report.restarts),
    ):
        lines += [f"# HELP {name} {text}", f"# TYPE {name} counter", f"{name} {number}"]
    return "\n".join(lines) + "\n"


def write_text(path: Path, text: str) -> None:
    """Atomically: a reader sees the old text or the new."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.write_text(text)
    beside.replace(path)
