# SPDX-License-Identifier: Apache-2.0
"""Everything loads, and what is loaded is what the snapshot says."""

from __future__ import annotations

import dagster as dg
import pytest
import yaml

from pipelines_dagster.definitions import defs, merged
from pipelines_dagster.defs.operations import definitions as operations
from pipelines_dagster.defs.operations.freshness import policy
from pipelines_dagster.defs.operations.home import TEMPLATE
from pipelines_dagster.defs.operations.jobs import POOL
from pipelines_dagster.defs.operations.plan import (
    CANARY,
    LINEAGE,
    LORA,
    NIGHTLY,
    RETRY,
    TRAINING,
    TUNER,
)
from tests.pipelines.operations import snapshot
from tests.pipelines.operations.stand_ins import KEYS, assets


@pytest.mark.spec("ORC-U-01")
def test_everything_loads() -> None:
    dg.Definitions.validate_loadable(defs)


def test_snapshot() -> None:
    """`python -m tests.pipelines.operations.snapshot` after a change that is meant."""
    assert snapshot.FILE.read_text() == snapshot.text()


@pytest.fixture(scope="module")
def whole() -> dg.Definitions:
    return merged(operations.DEFS, dg.Definitions(assets=assets()))


def selected(whole: dg.Definitions, job: str) -> set[str]:
    layer = whole.resolve_job_def(job).asset_layer
    return {key.to_user_string() for key in layer.selected_asset_keys}


def test_jobs_take_assets_by_key(whole: dg.Definitions) -> None:
    weekly = {"models/tuner", "live/params", "models/lora"}
    own_hour = {"ops/retention", "ops/invoices", "ops/lineage"}
    canaries = {"live/predictor"}
    assert selected(whole, NIGHTLY.job) == set(KEYS) - weekly - own_hour - canaries
    assert selected(whole, CANARY) == canaries
    assert not selected(whole, TRAINING) & canaries
    assert selected(whole, LINEAGE.job) == {"ops/lineage"}
    assert selected(whole, TUNER.job) == {"models/tuner", "live/params"}
    assert selected(whole, LORA.job) == {"models/lora"}
    assert selected(whole, "retention") == {"ops/retention"}
    assert "bronze/auction_bids" not in selected(whole, "training")


def test_every_scheduled_job_runs_at_its_hour_in_utc(whole: dg.Definitions) -> None:
    schedules = {one.name: one for one in whole.get_repository_def().schedule_defs}
    assert schedules["nightly_schedule"].cron_schedule == "0 0 * * *"
    assert schedules["retention_schedule"].cron_schedule == "0 2 * * *"
    assert schedules["lineage_schedule"].cron_schedule == "30 6 * * *"
    assert schedules["tuner_schedule"].cron_schedule.endswith("* * 0")
    assert schedules["lora_schedule"].cron_schedule.endswith("* * 3")
    for schedule in schedules.values():
        assert schedule.execution_timezone == "UTC"
        assert schedule.default_status is dg.DefaultScheduleStatus.RUNNING


def test_trainings_exclude_one_another(whole: dg.Definitions) -> None:
    names = ("nightly", "training", "tuner", "lora")
    assert {whole.resolve_job_def(name).tags[POOL] for name in names} == {"training"}
    limits = yaml.safe_load(TEMPLATE.read_text())["concurrency"]["runs"]["tag_concurrency_limits"]
    (limit,) = limits
    assert limit["key"] == POOL
    assert limit["limit"] == 1
    assert limit["value"] == {"applyLimitPerUniqueValue": True}


def test_retries_as_the_seed_has_them() -> None:
    assert (RETRY.max_retries, RETRY.delay) == (2, 300)


def test_freshness_by_the_longest_prefix(whole: dg.Definitions) -> None:
    specs = {spec.key.to_user_string(): spec for spec in whole.resolve_all_asset_specs()}
    assert specs["live/predictor"].freshness_policy is None
    for key in set(KEYS) - {"live/predictor", "live/params", "live/axes"}:
        assert specs[key].freshness_policy is not None, key
    daily, weekly = policy(dg.AssetKey(["models", "x"])), policy(dg.AssetKey(["models", "lora"]))
    assert daily != weekly
    assert policy(dg.AssetKey("elsewhere")) is None


def test_an_asset_keeps_its_own_freshness() -> None:
    own = policy(dg.AssetKey(["models", "lora"]))

    @dg.asset(key=["bronze", "own"], freshness_policy=own)
    def made() -> None: ...

    (spec,) = merged(dg.Definitions(assets=[made])).resolve_all_asset_specs()
    assert spec.freshness_policy == own
