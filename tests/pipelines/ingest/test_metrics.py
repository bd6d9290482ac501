# SPDX-License-Identifier: Apache-2.0
"""The metrics text, and the file it is in."""

from __future__ import annotations

from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from pipelines_dagster.defs.ingest.metrics import prometheus, write_text
from pipelines_dagster.defs.ingest.report import Report, TopicReport


def values(report: Report, now: float) -> dict[tuple[str, str], float]:
    return {
        (sample.name, sample.labels.get("topic", "")): sample.value
        for family in text_string_to_metric_families(prometheus(report, now))
        for sample in family.samples
    }


def test_every_series_parses_and_means_what_it_says() -> None:
    behind = TopicReport(rows=5, waiting=7, newest=1_000.0, delay_s=2.5, duplicates=1, lost=3)
    quiet = TopicReport(rows=5, newest=1_000.0)
    report = Report({"auction.bids": behind, "click.logs": quiet, "e2e.trace": TopicReport()})
    report.retries, report.restarts = 4, 2
    found = values(report, 1_060.0)
    assert found["orch_kafka_lag_seconds", "auction.bids"] == 60.0
    assert found["orch_kafka_lag_seconds", "click.logs"] == 0.0
    assert found["orch_kafka_lag_seconds", "e2e.trace"] == 0.0
    assert found["orch_kafka_lag_records", "auction.bids"] == 7
    assert found["orch_ingest_newest_age_seconds", "click.logs"] == 60.0
    assert ("orch_ingest_newest_age_seconds", "e2e.trace") not in found
    assert found["orch_ingest_delay_seconds", "auction.bids"] == 2.5
    assert found["orch_ingest_lost_total", "auction.bids"] == 3
    assert found["orch_s3_retry_total", ""] == 4
    assert found["orch_ingest_restarts_total", ""] == 2


def test_the_sums_and_the_line() -> None:
    report = Report({"a": TopicReport(rows=1, dead=2), "b": TopicReport(rows=3, waiting=1_000)})
    assert (report.rows, report.dead, report.waiting) == (4, 2, 1_000)
    assert report.line().startswith("4 rows, 1,000 waiting")


def test_the_file_is_whole_or_old(tmp_path: Path) -> None:
    path = tmp_path / "metrics" / "ingest.prom"
    for text in ("one\n", "two\n"):
        write_text(path, text)
        assert path.read_text() == text
    assert [found.name for found in path.parent.iterdir()] == ["ingest.prom"]
