# SPDX-License-Identifier: Apache-2.0
"""Canaries are runs of their own: asked for once a version passed its gate, with time enough."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import dagster as dg
import pytest
import yaml

from pipelines_dagster.defs.operations.canary_sensor import canaries
from pipelines_dagster.defs.operations.home import TEMPLATE
from pipelines_dagster.defs.operations.jobs import JOBS, POOL
from pipelines_dagster.defs.operations.plan import CANARY
from pipelines_dagster.defs.promotion import ledger as log
from pipelines_dagster.defs.promotion.assets import ASSETS
from pipelines_dagster.defs.promotion.ledger import Event, PromotionLedger
from pipelines_dagster.registry.names import Stored
from pipelines_dagster.resources import Pipelines
from pipelines_dagster.settings import load_pipeline_settings


@pytest.fixture
def ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PromotionLedger:
    monkeypatch.setenv("SKYNET_STATE", str(tmp_path))
    return PromotionLedger(Pipelines().lake())


def write(ledger: PromotionLedger, subsystem: str, *events: str, reason: str = "") -> None:
    stored = Stored(subsystem, f"{subsystem}_2026_11_22_01", "file:///m", "ab" * 32)
    for event in events:
        ledger.append(Event(stored.version, event, stored, reason=reason))


def asked() -> list[list[str]]:
    answer = canaries(pipelines=Pipelines())
    assert isinstance(answer, dg.SensorResult)
    found = [request.asset_selection or [] for request in answer.run_requests or []]
    return [[key.to_user_string() for key in keys] for keys in found]


def test_a_passed_gate_is_enough(ledger: PromotionLedger) -> None:
    assert asked() == []
    write(ledger, "pred", log.TRAINED)
    assert asked() == []
    write(ledger, "pred", log.GATE)
    assert asked() == [["live/predictor"]]
    write(ledger, "pred", log.PROMOTED)
    assert asked() == []


def test_one_models_refusal_does_not_stop_the_other(ledger: PromotionLedger) -> None:
    write(ledger, "pred", log.TRAINED)
    write(ledger, "pred", log.GATE, reason="RMSE rose")
    write(ledger, "tve", log.TRAINED, log.GATE)
    assert asked() == [["live/tve"]]


def test_a_canary_has_time_enough_and_is_alone() -> None:
    tags = JOBS[CANARY].tags or {}
    most = timedelta(seconds=float(tags["dagster/max_runtime"]))
    watched = timedelta(seconds=load_pipeline_settings({}).canary_s)
    limit = yaml.safe_load(TEMPLATE.read_text())["run_monitoring"]["max_runtime_seconds"]
    assert most >= 2 * watched and most > timedelta(seconds=limit)
    assert tags[POOL] == CANARY
    pools = {one.key.to_user_string(): one.op.pool for one in ASSETS}
    assert pools["live/predictor"] == pools["live/tve"] == "canary"
