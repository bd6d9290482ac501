# SPDX-License-Identifier: Apache-2.0
"""Ticks whose deadline has passed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from pipelines_dagster.defs.operations.plan import LORA, NIGHTLY, SILVER, TUNER, last_due


def at(day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 11, day, hour, minute, tzinfo=UTC)


@pytest.mark.spec("ORC-I-01")
def test_nightly_is_due_at_six() -> None:
    before, after = last_due(NIGHTLY, at(22, 5, 59)), last_due(NIGHTLY, at(22, 6))
    assert before is not None
    assert after is not None
    assert (before.began, before.deadline) == (at(21, 0), at(21, 6))
    assert (after.began, after.deadline) == (at(22, 0), at(22, 6))


def test_weekly_jobs_are_due_on_their_day() -> None:
    tuner, lora = last_due(TUNER, at(25, 12)), last_due(LORA, at(24, 12))
    assert tuner is not None
    assert lora is not None
    assert tuner.began == at(22, 7)  # a Sunday
    assert tuner.deadline - tuner.began == timedelta(minutes=45)
    assert lora.began == at(18, 8)  # a Wednesday


def test_a_local_clock_is_read_in_utc() -> None:
    local = at(22, 6).astimezone(tz=None)
    due = last_due(NIGHTLY, local)
    assert due is not None
    assert due.began == at(22, 0)


def test_ingest_has_no_deadline() -> None:
    assert last_due(SILVER, at(22, 6)) is None
