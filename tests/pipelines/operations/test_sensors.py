# SPDX-License-Identifier: Apache-2.0
"""What the watching sensors tell, and to whom."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from pipelines_dagster.defs.operations.sensors import deadlines, failures
from pipelines_dagster.defs.operations.sla import METRICS
from pipelines_dagster.defs.operations.tell import STREAM, teller
from pipelines_dagster.resources import Pipelines
from pipelines_dagster.settings import load_pipeline_settings
from tests.pipelines.operations.stand_ins import assets, gate


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SKYNET_STATE", str(tmp_path))
    monkeypatch.setenv("SKYNET_PIPELINES_WEBHOOK", "log")
    return tmp_path


def told(state: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (state / "logs" / STREAM).read_text().splitlines()]


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
    assert line["event"] == "run_failed"
    assert set(line["steps"]) == {"silver__bids"}
    assert "secret detail" not in json.dumps(line)


@pytest.mark.spec("ORC-I-03")
def test_a_refusal_is_told_as_one(state: Path) -> None:
    run_and_tell(broken=False)
    (line,) = told(state)
    assert line["event"] == "refused"
    assert set(line["steps"]) == {"models__predictor_gate"}


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


@pytest.fixture
def webhook() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A receiver of webhooks; its second answer is an error."""
    got: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(200 if len(got) == 1 else 500)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/hook", got
        server.shutdown()
        thread.join()


def test_a_webhook_is_told_and_may_fail(
    state: Path, monkeypatch: pytest.MonkeyPatch, webhook: tuple[str, list[dict[str, Any]]]
) -> None:
    url, got = webhook
    monkeypatch.setenv("SKYNET_PIPELINES_WEBHOOK", url)
    tell = teller(load_pipeline_settings())
    tell("sla_missed", job="nightly")
    tell("sla_missed", job="lora")
    assert [line["job"] for line in got] == ["nightly", "lora"]
    assert [line["event"] for line in told(state)] == ["sla_missed", "sla_missed", "webhook_failed"]
    assert url not in (state / "logs" / STREAM).read_text()
