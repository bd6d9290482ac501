# SPDX-License-Identifier: Apache-2.0
"""`skynet invoices` and the nightly job."""

from __future__ import annotations

import json

import dagster as dg
import pytest
from click.testing import CliRunner

from client.commands.invoices import invoices as command
from pipelines_dagster.defs.billing.definitions import DEFS
from pipelines_dagster.defs.billing.issued import issued
from pipelines_dagster.defs.operations.jobs import JOBS
from pipelines_dagster.defs.operations.plan import INVOICES
from pipelines_dagster.resources import Pipelines
from tests.pipelines.billing.rig import busiest
from tests.pipelines.gdpr.world import World


def test_the_command_and_the_asset(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SKYNET_STATE", str(world.settings.serving.state))
    monkeypatch.delenv("INVOICES_URL", raising=False)
    run, day = CliRunner().invoke, busiest(world.lake)
    dry = run(command, ["--day", day, "--dry-run"])
    assert dry.exit_code == 0 and "to send" in dry.output and issued(world.lake) == {}
    done = run(command, ["--day", day, "--json"])
    assert done.exit_code == 0 and json.loads(done.output)["sent"]
    again = run(command, ["--day", day])
    assert "sent before" in again.output and "0 sent" in again.output
    held = run(command, ["--month", day[:7], "--dry-run"])
    assert held.exit_code == 1 and "HELD" in held.output
    assert run(command, ["--day", day, "--month", day[:7]]).exit_code == 2
    files = list((world.settings.serving.state / "invoices").iterdir())
    assert len(files) == 2 * len(issued(world.lake))
    defs = dg.Definitions.merge(
        DEFS, dg.Definitions(resources={"pipelines": Pipelines()}, jobs=[JOBS["invoices"]])
    )
    result = defs.resolve_job_def("invoices").execute_in_process()
    assert result.success and all(one.passed for one in result.get_asset_check_evaluations())
    (event,) = result.get_asset_materialization_events()
    assert {"compared", "held"} <= set(event.materialization.metadata)
    metrics = world.settings.serving.state / "metrics"
    assert "orch_invoices_sent 0" in (metrics / "orch_invoices_sent.prom").read_text()
    assert INVOICES.cron == "0 3 * * *"
