# SPDX-License-Identifier: Apache-2.0
"""The circle's steps through real Dagster runs of assets under the areas' keys.

Dagster reads the annotations of configs as they are, so they are not postponed here.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from bls.errors import SkynetError
from export.bid_predictor.artefact import SHIPPED
from pipelines_dagster.defs.promotion.desk import open_desk
from pipelines_dagster.defs.training.offer import offer
from pipelines_dagster.loop.dagster_steps import DagsterSteps
from pipelines_dagster.loop.live import BIDS
from pipelines_dagster.loop.steps import Version
from pipelines_dagster.loop.variants import Flaw, degraded_predictor
from pipelines_dagster.notify.notifier import STREAM
from pipelines_dagster.settings import PipelineSettings, load_pipeline_settings


class Gold(dg.Config):
    held: float = 0.1


class Canary(dg.Config):
    poll_s: float = 0.0
    conversations: int = 0
    rehearsal: bool = False


@dataclass
class Area:
    """What the areas would do, in a few lines; everything they leave lies where it belongs."""

    settings: PipelineSettings
    work: Path
    passes: bool = True
    trains: bool = True
    held: float = 0.0
    rehearsals: list[bool] = field(default_factory=list)

    def definitions(self) -> dg.Definitions:
        @dg.asset(key=["bronze", "auction_bids"])
        def bronze() -> None:
            self.settings.open_lake().append(
                BIDS, pl.DataFrame({"n": [1, 2], "dt": ["2026-01-01"] * 2})
            )

        @dg.asset(key=["silver", "bids"], deps=[bronze])
        def silver() -> None: ...

        @dg.asset(key=["gold", "predictor_dataset"], deps=[silver])
        def gold(config: Gold) -> dg.MaterializeResult[None]:
            self.held = config.held
            return dg.MaterializeResult(metadata={"rows": 7, "share": 0.25})

        @dg.asset(key=["models", "predictor"], deps=[gold])
        def model() -> None:
            if self.trains:
                made = self.work / "pred_new_01"
                degraded_predictor(SHIPPED, made, "pred_new_01", Flaw())
                offer(open_desk(self.settings), "pred", "pred_new_01", made, self.work)

        @dg.asset_check(asset=model, name="gate", blocking=True)
        def gate() -> dg.AssetCheckResult:
            return dg.AssetCheckResult(passed=self.passes, metadata={"rmse": 0.25})

        @dg.asset(key=["live", "predictor"], deps=[model])
        def live(config: Canary) -> None:
            self.rehearsals.append(config.rehearsal)

        return dg.Definitions([bronze, silver, gold, model, live], asset_checks=[gate])


@pytest.fixture
def area(tmp_path: Path) -> Area:
    environment = {
        "SKYNET_STATE": str(tmp_path / "state"),
        "SKYNET_PIPELINES_WEBHOOK": "log",
        "SKYNET_KEYS": str(tmp_path / "keys"),
    }
    (tmp_path / "keys").mkdir()
    newest = tmp_path / "state" / "lake" / "gold" / "predictor_dataset" / "v1"
    newest.mkdir(parents=True)
    (newest / "dataset.json").write_text("{}")
    return Area(load_pipeline_settings(environment), tmp_path)


@pytest.fixture
def steps(area: Area) -> Iterator[DagsterSteps]:
    with dg.DagsterInstance.ephemeral() as instance:
        made = DagsterSteps(area.settings, area.definitions(), instance)
        yield made
        made.keys.close()


def test_crowned_by_hand(steps: DagsterSteps) -> None:
    weak = steps.crown(Flaw(bias=0.3))
    assert steps.champion() == weak


def test_ingest_and_datasets(steps: DagsterSteps, area: Area) -> None:
    assert steps.ingest() == 2
    assert steps.ingest() == 4
    assert steps.build() == "rows 7, share 0.25"
    assert area.held == 0.25


def test_train_and_its_gate(steps: DagsterSteps) -> None:
    version = steps.train()
    assert version.name == "pred_new_01"
    verdict = steps.validate(version)
    assert verdict.passed
    assert verdict.why == "rmse 0.25"


def test_a_gate_that_refuses_is_a_verdict(steps: DagsterSteps, area: Area) -> None:
    area.passes = False
    assert not steps.validate(steps.train()).passed


def test_the_gate_alone_for_one_that_was_offered(steps: DagsterSteps, area: Area) -> None:
    steps.train()
    area.passes = False
    assert not steps.validate(steps.offer(Flaw(bias=-0.6))).passed


def test_promotion_is_what_the_key_says(steps: DagsterSteps, area: Area) -> None:
    challenger = steps.train()
    kept_out = steps.promote(challenger, forced=True)
    assert not kept_out.passed
    assert area.rehearsals == [True]
    steps.keys.crown(open_desk(area.settings).ledger.candidate("pred").stored.key())
    assert steps.promote(challenger).passed
    assert area.rehearsals == [True, False]
    with pytest.raises(SkynetError) as caught:
        steps.promote(Version("other", "c" * 64))
    assert caught.value.code == "step_failed"


def test_a_training_without_a_result(steps: DagsterSteps, area: Area) -> None:
    area.trains = False
    with pytest.raises(SkynetError) as caught:
        steps.train()
    assert caught.value.code == "step_failed"


def test_areas_that_are_missing(area: Area) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        steps = DagsterSteps(area.settings, dg.Definitions(), instance)
        for step in (steps.ingest, steps.build, steps.train):
            with pytest.raises(SkynetError) as caught:
                step()
            assert caught.value.code == "no_asset"
        steps.keys.close()


def test_what_was_told(steps: DagsterSteps, area: Area) -> None:
    assert steps.told() == []
    folder = area.settings.serving.logs / "pipelines"
    folder.mkdir(parents=True)
    (folder / STREAM).write_text(json.dumps({"kind": "refused"}) + "\n")
    assert steps.told() == [{"kind": "refused"}]
    assert steps.observe().versions == {}
