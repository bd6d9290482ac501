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
from pipelines_dagster.defs.operations.tell import STREAM
from pipelines_dagster.loop.dagster_steps import Configs, DagsterSteps
from pipelines_dagster.loop.live import BIDS
from pipelines_dagster.loop.steps import Version
from pipelines_dagster.loop.variants import Flaw, degraded_predictor
from pipelines_dagster.settings import PipelineSettings, load_pipeline_settings


class Steps(dg.Config):
    steps: int = 1


class Forced(dg.Config):
    forced: bool = False


@dataclass
class Area:
    """What the areas would do, in a few lines; everything they leave lies where it belongs."""

    settings: PipelineSettings
    passes: bool = True
    trains: bool = True
    steps: int = 0
    offered: list[Path] = field(default_factory=list)

    def definitions(self) -> dg.Definitions:
        models = self.settings.serving.models_folder / "pred"

        @dg.asset(key=["bronze", "auction_bids"])
        def bronze() -> None:
            self.settings.open_lake().append(BIDS, pl.DataFrame({"n": [1, 2], "dt": ["d", "d"]}))

        @dg.asset(key=["silver", "bids"], deps=[bronze])
        def silver() -> None: ...

        @dg.asset(key=["gold", "predictor_dataset"], deps=[silver])
        def gold() -> dg.MaterializeResult[None]:
            return dg.MaterializeResult(metadata={"rows": 7, "share": 0.25})

        @dg.asset(key=["models", "predictor"], deps=[gold])
        def model(config: Steps) -> None:
            self.steps = config.steps
            if self.trains:
                degraded_predictor(SHIPPED, models / "pred_new_01", "pred_new_01", Flaw())

        @dg.asset_check(asset=model, name="gate", blocking=True)
        def gate() -> dg.AssetCheckResult:
            return dg.AssetCheckResult(passed=self.passes, metadata={"rmse": 0.25})

        @dg.asset(key=["live", "predictor"], deps=[model])
        def live(config: Forced) -> dg.MaterializeResult[None]:
            return dg.MaterializeResult(metadata={"forced": str(config.forced)})

        return dg.Definitions([bronze, silver, gold, model, live], asset_checks=[gate])


@pytest.fixture
def area(tmp_path: Path) -> Area:
    return Area(load_pipeline_settings({"SKYNET_STATE": str(tmp_path)}))


@pytest.fixture
def steps(area: Area) -> Iterator[DagsterSteps]:
    configs = Configs(train={"steps": 5}, forced={"forced": True})
    with dg.DagsterInstance.ephemeral() as instance:
        made = DagsterSteps(
            area.settings, area.definitions(), instance, area.offered.append, configs
        )
        yield made
        made.keys.close()


def test_crowned_by_hand(steps: DagsterSteps, area: Area) -> None:
    weak = steps.crown(Flaw(bias=0.3))
    champion = steps.champion()
    assert champion == weak
    assert area.offered[0].name == weak.name


def test_ingest_and_datasets(steps: DagsterSteps) -> None:
    assert steps.ingest() == 2
    assert steps.ingest() == 4
    assert steps.build() == "rows 7, share 0.25"


def test_train_with_the_quick_config_and_its_gate(steps: DagsterSteps, area: Area) -> None:
    version = steps.train()
    assert version.name == "pred_new_01"
    assert area.steps == 5
    verdict = steps.validate(version)
    assert verdict.passed
    assert verdict.why == "rmse 0.25"


def test_a_gate_that_refuses_is_a_verdict(steps: DagsterSteps, area: Area) -> None:
    area.passes = False
    assert not steps.validate(steps.train()).passed


def test_the_gate_alone_for_one_that_was_offered(steps: DagsterSteps, area: Area) -> None:
    steps.train()
    area.passes = False
    bad = steps.offer(Flaw(bias=-0.6))
    assert area.offered[-1].name == bad.name
    assert not steps.validate(bad).passed


def test_promotion_is_what_the_key_says(steps: DagsterSteps) -> None:
    weak = steps.crown(Flaw(bias=0.3))
    kept_out = steps.promote(Version("other", "c" * 64), forced=True)
    assert not kept_out.passed
    assert kept_out.why == "forced True"
    assert steps.promote(weak).passed


def test_a_training_without_a_result(steps: DagsterSteps, area: Area) -> None:
    area.trains = False
    with pytest.raises(SkynetError) as caught:
        steps.train()
    assert caught.value.code == "step_failed"


def test_areas_that_are_missing(area: Area) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        steps = DagsterSteps(area.settings, dg.Definitions(), instance, area.offered.append)
        for step in (steps.ingest, steps.build, lambda: steps.promote(Version("x", "d" * 64))):
            with pytest.raises(SkynetError) as caught:
                step()
            assert caught.value.code == "no_asset"
        steps.keys.close()


def test_what_was_told(steps: DagsterSteps, area: Area) -> None:
    assert steps.told() == []
    folder = area.settings.serving.logs
    folder.mkdir(parents=True)
    (folder / STREAM).write_text(json.dumps({"event": "refused"}) + "\n")
    assert steps.told() == [{"event": "refused"}]
    assert steps.observe().versions == {}
