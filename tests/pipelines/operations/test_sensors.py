# SPDX-License-Identifier: Apache-2.0
"""What the watching sensors tell, and to whom."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from pipelines_dagster.defs.operations.sensors import deadlines, failures
from pipelines_dagster.defs.operations.sla import METRICS
from pipelines_dagster.notify.notifier import STREAM
from pipelines_dagster.resources import Pipelines
from tests.pipelines.operations.stand_ins import assets, gate


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SKYNET_STATE", str(tmp_path))
    monkeypatch.setenv("SKYNET_PIPELINES_WEBHOOK", "log")
    return tmp_path


def told(state: Path) -> list[dict[str, Any]]:
    return [
        json.loads(line)
        for line in (state / "logs" / "pipelines" / STREAM).read_text().splitlines()
    ]


def run_and_tell(broken: bool) -> None:
    """A run that fails in a step, or whose gate refuses, and the sensor's look at it."""

    def work(key: str) -> None:
        if broken and key == "silver/bids":
            raise ValueError("secret detail")

    definitions = dg.Definitions(assets=assets(work), asset_checks=[gate(lambda: False)])
    job = definitions.resolve_implicit_global_asset_job_def()
    with dg.DagsterInstance.ephemeral() as instance:
        result = job.execute_in_process(instance=instance, raise_on_error=False)
        (event,) = [one for one in result.all_events if one.event_type_value == "PIPELINE_FAILURE"]
        context = dg.build_run_status_sensor_context(
            sensor_name="failures",
            dagster_event=event,
            dagster_instance=instance,
            dagster_run=result.dagster_run,
            resources={"pipelines": Pipelines()},
        ).for_run_failure()
        failures(context)


def test_a_failed_run_is_told_without_its_text(state: Path) -> None:
    run_and_tell(broken=True)
    (line,) = told(state)
    assert line["kind"] == "run_failed"
    assert set(line["fields"]["steps"]) == {"silver__bids"}
    assert "secret detail" not in json.dumps(line)


@pytest.mark.spec("ORC-I-03")
def test_a_refusal_is_told_as_one(state: Path) -> None:
    run_and_tell(broken=False)
    (line,) = told(state)
    assert line["kind"] == "refused"
    assert set(line["fields"]["steps"]) == {"models__predictor_gate"}


def test_a_fresh_installation_has_missed_nothing(state: Path) -> None:
    with (
        dg.DagsterInstance.ephemeral() as instance,
        dg.build_sensor_context(instance=instance) as context,
    ):
        answer = deadlines(context, pipelines=Pipelines())
    assert isinstance(answer, dg.SensorResult)
    assert str(answer.skip_reason) == "SkipReason(skip_message='nothing is late')"
    assert answer.cursor
    assert 'orch_sla_miss_total{job="nightly"} 0.0' in (state / METRICS).read_text()
    assert not (state / "logs" / STREAM).exists()
