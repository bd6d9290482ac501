# SPDX-License-Identifier: Apache-2.0
"""Two nights of the selection's own artefacts, axes and lambda, through the nightly job.

Dagster's clock begins at midnight and goes as fast as the machine's. The index of creatives, which
the specification rebuilds in the same night, comes with the selection itself.
"""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import numpy as np
import pytest

from pipelines_dagster.defs.market.simulate import Size, simulate
from pipelines_dagster.defs.operations.plan import NIGHTLY
from pipelines_dagster.defs.operations.sla import judge
from pipelines_dagster.defs.promotion.desk import Desk
from pipelines_dagster.defs.training import bandit
from pipelines_dagster.defs.training.definitions import DEFS
from pipelines_dagster.resources import Pipelines
from pipelines_dagster.settings import PipelineSettings
from tests.pipelines.operations.test_regeneration import Running
from tests.pipelines.training.test_values import choices

FIRST = datetime(2026, 11, 1, tzinfo=UTC)
KEYS = [dg.AssetKey(["models", name]) for name in ("axes", "lambda_bandit")]


@pytest.fixture
def night(settings: PipelineSettings, monkeypatch: pytest.MonkeyPatch) -> dg.JobDefinition:
    """The nightly job of these two, with their gates, on the settings of the test."""
    monkeypatch.setenv("SKYNET_STATE", str(settings.serving.state))
    monkeypatch.setenv("SKYNET_PIPELINES_WEBHOOK", "log")
    monkeypatch.setenv("SKYNET_PIPELINES_TRAINING", "quick")
    job = dg.define_asset_job(NIGHTLY.job, selection=dg.AssetSelection.assets(*KEYS))
    resources = dg.Definitions(resources={"pipelines": Pipelines()}, jobs=[job])
    return dg.Definitions.merge(DEFS, resources).resolve_job_def(NIGHTLY.job)


@pytest.mark.spec("MRO-S-02")
def test_axes_and_lambda_before_six(
    night: dg.JobDefinition, settings: PipelineSettings, desk: Desk
) -> None:
    told = list[str]()
    root = Path(settings.lake_root)
    with dg.DagsterInstance.ephemeral() as instance:
        for number in (0, 1):
            desk.lake.append(bandit.TABLE, choices(2_000, np.random.default_rng(number)))
            shutil.rmtree(root / "gold" / "tve_dataset")
            size = Size(conversations=1, contexts=20, ads=260, pairs=1)
            simulate(root / "gold" / "tve_dataset" / "v1", number, size)
            midnight = FIRST + number * timedelta(days=1)
            with Running(midnight + timedelta(seconds=1)).rules():
                done = night.execute_in_process(instance=instance, raise_on_error=False)
            made = {event.asset_key for event in done.get_asset_materialization_events()}
            checked = {check.asset_key for check in done.get_asset_check_evaluations()}
            assert made == checked == set(KEYS)
            six = midnight + timedelta(hours=6)
            tell = lambda event, **facts: told.append(event)  # noqa: E731
            assert judge(instance, desk.lake, tell, six, since=FIRST, timetable=[NIGHTLY]) == []
    assert not told
    lines = (desk.streams.folder / "trainer.artifact.log").read_text().splitlines()
    shas = [json.loads(line)["sha256"] for line in lines]
    assert len(set(shas)) == 4
