# SPDX-License-Identifier: Apache-2.0
"""Nights on Dagster's own clock: the master job, what is late, who is told, and thirty of them.

The assets are stand-ins that take simulated hours; jobs, runs, verdicts, table and
metrics are real.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import pytest

from pipelines_dagster.defs.operations.jobs import SELECTIONS
from pipelines_dagster.defs.operations.outcomes import Outcome, outcome
from pipelines_dagster.defs.operations.plan import NIGHTLY, last_due
from pipelines_dagster.defs.operations.sla import TABLE, judge, publish
from pipelines_dagster.lake.lake import Lake
from tests.pipelines.operations.clock import Clock
from tests.pipelines.operations.stand_ins import KEYS, assets, gate

FIRST = datetime(2026, 11, 1, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
MOST = "models/predictor"
"""The step that takes the night."""


@dataclass
class Nights:
    """A Dagster whose nights a test decides: how long the training takes, whether it works."""

    instance: dg.DagsterInstance
    lake: Lake
    clock: Clock
    hours: float = 1.0
    faults: int = 0
    passes: bool = True
    keys: Collection[str] = tuple(KEYS)
    made: list[str] = field(default_factory=list)
    told: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        nightly = dg.define_asset_job(
            NIGHTLY.job,
            selection=SELECTIONS[NIGHTLY.job],
            op_retry_policy=dg.RetryPolicy(max_retries=2),
            executor_def=dg.in_process_executor,
        )
        self._defs = dg.Definitions(
            assets=assets(self._work, self.keys),
            asset_checks=[gate(lambda: self.passes)],
            jobs=[nightly],
        )

    def _work(self, key: str) -> None:
        if key == MOST:
            self.clock.advance(self.hours * HOUR)
            if self.faults > 0:
                self.faults -= 1
                raise dg.Failure("a machine went away")
        self.made.append(key)

    def run(self, date: datetime) -> None:
        """The tick of one midnight."""
        self.clock.now = date + timedelta(seconds=5)
        job = self._defs.resolve_job_def(NIGHTLY.job)
        with self.clock.rules():
            job.execute_in_process(instance=self.instance, raise_on_error=False)

    def judge(self, date: datetime, hour: float = 6.0) -> list[str]:
        """What the sensor of deadlines finds at that hour."""
        return judge(
            self.instance,
            self.lake,
            self._tell,
            date + hour * HOUR,
            since=FIRST,
            timetable=[NIGHTLY],
        )

    def _tell(self, event: str, **facts: Any) -> None:
        self.told.append((event, facts))


@pytest.fixture
def nights(tmp_path: Path) -> Iterator[Nights]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield Nights(instance, Lake(str(tmp_path)), Clock(FIRST))


@pytest.mark.spec("ORC-I-01")
def test_a_night_in_time(nights: Nights) -> None:
    nights.run(FIRST)
    assert nights.made.index("silver/bids") < nights.made.index("gold/predictor_dataset")
    assert nights.made[-1] == "live/axes" and "live/predictor" not in nights.made
    assert nights.judge(FIRST) == []
    (row,) = nights.lake.scan(TABLE).collect().iter_rows(named=True)
    assert row["outcome"] == Outcome.DONE
    assert row["finished"] - row["tick"] == pytest.approx(3605, abs=1)
    assert not nights.told


@pytest.mark.spec("ORC-C-05")
def test_a_step_that_fails_twice_is_tried_a_third_time(nights: Nights) -> None:
    nights.faults = 2
    nights.run(FIRST)
    assert nights.judge(FIRST) == []


def test_a_late_night_is_told_once(nights: Nights) -> None:
    nights.hours = 7
    nights.run(FIRST)
    assert nights.judge(FIRST, 8) == [NIGHTLY.job]
    assert nights.judge(FIRST, 9) == []
    assert [(event, facts["outcome"]) for event, facts in nights.told] == [("sla_missed", "late")]


def test_a_night_that_never_began_is_missing(nights: Nights) -> None:
    assert nights.judge(FIRST) == [NIGHTLY.job]
    assert nights.told[0][1]["outcome"] == Outcome.MISSING


def test_before_the_deadline_nothing_is_judged(nights: Nights) -> None:
    assert nights.judge(FIRST, 5.9) == []
    assert nights.lake.open(TABLE) is None


def test_a_failed_night_and_a_refusal_are_not_the_same(nights: Nights) -> None:
    nights.faults = 3
    nights.run(FIRST)
    assert nights.judge(FIRST) == [NIGHTLY.job]
    assert nights.told[0][1]["outcome"] == Outcome.FAILED
    nights.faults, nights.passes = 0, False
    nights.run(FIRST + DAY)
    assert nights.judge(FIRST + DAY) == []
    assert nights.made.count("live/axes") == 0


def test_a_second_run_in_time_makes_good(nights: Nights) -> None:
    nights.faults = 3
    nights.run(FIRST)
    nights.run(FIRST + 4 * HOUR)
    due = last_due(NIGHTLY, FIRST + 6 * HOUR)
    assert due is not None
    assert outcome(nights.instance, NIGHTLY.job, due)[0] is Outcome.DONE


@pytest.mark.spec("ORC-S-01")
@pytest.mark.spec("TVE-S-02")
def test_thirty_nights(tmp_path: Path) -> None:
    """Assumed: nights of 3 hours, log-normal with sd 0.25, a step that fails by chance one time in
    fifty (and is tried again), and two bad nights: one too long, one whose every try fails."""
    with dg.DagsterInstance.ephemeral() as instance:
        keys = ("gold/predictor_dataset", MOST, "live/axes")
        nights = Nights(instance, Lake(str(tmp_path)), Clock(FIRST), keys=keys)
        play(nights)
    rows = nights.lake.scan(TABLE).collect()
    assert len(rows) == 30
    assert rows["missed"].sum() == 2
    assert [facts["outcome"] for _, facts in nights.told] == [Outcome.LATE, Outcome.FAILED]
    publish(nights.lake, tmp_path / "operations.prom")
    assert 'orch_sla_miss_total{job="nightly"} 2.0' in (tmp_path / "operations.prom").read_text()


def play(nights: Nights) -> None:
    """Thirty midnights, each judged at noon."""
    rng = np.random.default_rng(30)
    for number in range(30):
        date = FIRST + number * DAY
        nights.hours = float(3 * np.exp(rng.normal(0, 0.25)))
        nights.faults = int(rng.random() < 0.02)
        if number == 11:
            nights.hours = 9.0
        if number == 20:
            nights.faults = 3
        nights.run(date)
        nights.judge(date, 12)
